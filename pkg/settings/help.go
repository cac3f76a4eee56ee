package settings

import (
	"fmt"
	"strings"
)

// Help lists a spec's variables for a terminal: name, meaning and default.
func Help(spec any) (string, error) {
	all, err := rows(spec)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, r := range all {
		fmt.Fprintf(&out, "  %s (%s)\n      %s\n", r.name, kindInWords(r.kind), r.text)
		if r.byDefault != "" {
			fmt.Fprintf(&out, "      default: %s\n", r.byDefault)
		}
	}
	return out.String(), nil
}
