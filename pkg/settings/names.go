package settings

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"belfry/pkg/spelling"
)

// injected matches the variables that orchestrators set for a service called belfry or
// belfry-something: BELFRY_GATEWAY_SERVICE_HOST, BELFRY_PORT, BELFRY_PORT_8051_TCP_ADDR and so on.
var injected = regexp.MustCompile(`_(SERVICE_HOST|PORT)(_|$)`)

// testPrefix is the prefix of the tests' variables, which programs ignore.
const testPrefix = Prefix + "_TEST_"

// checkNames returns an error for variables that no Belfry program reads.
func checkNames(environ []string) error {
	var problems []error
	for _, name := range strangers(environ) {
		if !injected.MatchString(name) {
			problems = append(problems, fmt.Errorf("%s is not a setting of any Belfry program: did you mean %s? (docs/configuration.md lists all)",
				name, spelling.Nearest(name, known)))
		}
	}
	return errors.Join(problems...)
}

// Injected returns the variables in the environment that an orchestrator seems to have set. They
// have no effect; programs log a warning about them when they start.
func Injected() []string {
	return slices.DeleteFunc(strangers(os.Environ()), func(name string) bool { return !injected.MatchString(name) })
}

// strangers returns the BELFRY_ variables in the environment that no program reads, sorted.
func strangers(environ []string) []string {
	var out []string
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, Prefix+"_") || strings.HasPrefix(name, testPrefix) {
			continue
		}
		if !slices.Contains(known, name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
