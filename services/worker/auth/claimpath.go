package auth

import (
	"errors"
	"slices"
	"strings"
)

// claimPath locates a claim. A dot descends into an object: realm_access.roles is
// the member "roles" of the member "realm_access". A top-level claim whose name is
// the whole text takes precedence, so that https://example.org/groups works as it
// is written. `\.` is a literal dot in a name, `\\` a literal backslash.
type claimPath struct {
	text  string   // as the operator wrote it; empty: the claim is not used
	steps []string // names of members, from the outside inwards
}

// Errors of parseClaimPath.
var (
	errPathStep   = errors.New(`each dot must separate two names; write \. for a dot that is part of a name`)
	errPathEscape = errors.New(`a backslash must be followed by a dot or another backslash`)
)

// CheckClaimName reports what is wrong with the configured name of a claim. Its
// error does not name the variable.
func CheckClaimName(text string) error {
	_, err := parseClaimPath(text)
	return err
}

func parseClaimPath(text string) (claimPath, error) {
	p := claimPath{text: text}
	var step strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text) && (text[i+1] == '.' || text[i+1] == '\\'):
			i++
			step.WriteByte(text[i])
		case c == '\\':
			return claimPath{}, errPathEscape
		case c == '.':
			p.steps = append(p.steps, step.String())
			step.Reset()
		default:
			step.WriteByte(c)
		}
	}
	p.steps = append(p.steps, step.String())
	if slices.Contains(p.steps, "") {
		return claimPath{}, errPathStep
	}
	return p, nil
}

// find returns the claim's value, or nil if it is absent or null.
func (p claimPath) find(claims map[string]any) any {
	if p.text == "" {
		return nil
	}
	if value, whole := claims[p.text]; whole {
		return value
	}
	var value any = claims
	for _, step := range p.steps {
		object, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = object[step]
	}
	return value
}

// PutClaim writes a claim to the place where a worker looks for it under the same
// name. A member on the path that is not an object is replaced by one.
func PutClaim(claims map[string]any, name string, value any) error {
	p, err := parseClaimPath(name)
	if err != nil {
		return err
	}
	last := len(p.steps) - 1
	for _, step := range p.steps[:last] {
		inner, ok := claims[step].(map[string]any)
		if !ok {
			inner = map[string]any{}
			claims[step] = inner
		}
		claims = inner
	}
	claims[p.steps[last]] = value
	return nil
}
