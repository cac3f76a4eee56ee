package agreement

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"belfry/pkg/settings"
	gateway "belfry/services/gateway/app"
	worker "belfry/services/worker/app"
)

// program is one of those that supervisord, systemd and compose run.
type program struct {
	name string // supervisord's without "belfry-", compose's service
	unit string
	env  string // the shipped sample of its variables
}

var shippedPrograms = []program{
	{"gateway", gatewayUnit, gatewayEnv},
	{"worker", workerUnit, workerEnv},
	{"api", apiUnit, apiEnv},
}

func (p program) supervised(f files) string {
	return section(f[supervisorFile], "program:belfry-"+p.name)
}

func variables(f files) error {
	ofGateway, err := settings.Names(&gateway.Config{})
	if err != nil {
		return err
	}
	ofWorker, err := settings.Names(&worker.Config{})
	if err != nil {
		return err
	}
	ofExample, err := find(f[towerFile], `env\("([A-Z_]+)"\)`)
	if err != nil {
		return err
	}
	known := map[string][]string{"gateway": ofGateway, "worker": ofWorker, "api": ofExample}
	everybody := slices.Concat(ofGateway, ofWorker, ofExample)
	type look struct {
		what, text string
		known      []string
	}
	looks := []look{{"compose", f[composeFile], everybody}, {"Dockerfile", f[dockerFile], everybody}, {".env", f[envFile], everybody}}
	for _, p := range shippedPrograms {
		looks = append(looks,
			look{"supervisord, " + p.name, p.supervised(f), known[p.name]}, look{p.unit, uncommented(f[p.unit]), known[p.name]},
			look{p.env, uncommented(f[p.env]), known[p.name]}, look{"compose, " + p.name, service(f, p.name), known[p.name]})
	}
	for _, l := range looks {
		for _, name := range regexp.MustCompile(`\b(?:BELFRY|TOWER)_[A-Z_]+`).FindAllString(l.text, -1) {
			if !slices.Contains(l.known, name) {
				return fmt.Errorf("%s sets %s, which the program does not read", l.what, name)
			}
		}
	}
	return nil
}

// uncommented is a file without its comments.
func uncommented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// samples: a shell and systemd read the shipped files of variables in the same
// way, and they set nothing that differs from process to process.
func samples(f files) error {
	line := regexp.MustCompile(`^[A-Z_]+=[\w@:/.,-]+\n$`)
	for _, p := range shippedPrograms {
		for text := range strings.Lines(uncommented(f[p.env])) {
			if !line.MatchString(text) {
				return fmt.Errorf("%s: %q may not be read alike by a shell and systemd", p.env, text)
			}
			for _, own := range []string{"BELFRY_NAME=", "BELFRY_LISTEN=", "BELFRY_ADMIN_LISTEN="} {
				if strings.HasPrefix(text, own) {
					return fmt.Errorf("%s sets %s for all processes", p.env, own)
				}
			}
		}
	}
	return nil
}

// programs: the Procfile names commands and nothing else, and runs what is built.
func programs(f files) error {
	for line := range strings.Lines(f[procFile]) {
		if !regexp.MustCompile(`^[a-z]+: [a-z/]+( serve)?\n$`).MatchString(line) {
			return fmt.Errorf("the Procfile's line %q is more than a name and a command", line)
		}
	}
	built, err := find(f[makeFile], `go build .* -o (bin/\w+)`)
	if err != nil {
		return err
	}
	run, err := find(f[procFile], `(?m)^\w+: (bin/\w+)`)
	if err != nil {
		return err
	}
	for _, program := range run {
		if !slices.Contains(built, program) {
			return fmt.Errorf("the Procfile runs %s, make build makes %v", program, built)
		}
	}
	return nil
}
