package access

import (
	"fmt"

	"belfry/pkg/exactjson"
	"belfry/pkg/spelling"
)

// mistake is what is wrong with a rule of a policy file, and where in the rule.
type mistake struct {
	path []any // of exactjson.Place, below the rule
	err  error
}

// in returns an error with the mistake's line in the file; rule counts from 0.
func (m *mistake) in(text []byte, rule int) error {
	path := append([]any{"rules", rule}, m.path...)
	return exactjson.Place(text, fmt.Sprintf("rule %d: %v", rule+1, m.err), path...)
}

func unknownWay(way string) error {
	ways := []string{allowAll, allowClaim, allowApplication}
	return fmt.Errorf("allow %q is not one of all, claim, application: did you mean %q?", way, spelling.Nearest(way, ways))
}
