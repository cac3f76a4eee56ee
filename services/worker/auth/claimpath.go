package auth

import (
	"errors"
	"slices"
	"strings"
)

// claimPath finds a claim. A dot goes one object deeper: realm_access.roles is
// the member "roles" of the member "realm_access". A claim whose own name is the
// whole text comes first, so that https://example.org/groups needs no care. `\.`
// is a dot that belongs to a name, `\\` a backslash.
type claimPath struct {
	text  string   // as the operator wrote it; empty: the claim is not used
	steps []string // names of members, from the outside inwards
}

// Errors of parseClaimPath.
var (
	errPathStep   = errors.New(`between two dots, and before and behind each, there must be a name; a dot of a name itself is written \.`)
	errPathEscape = errors.New(`a backslash comes only before a dot or a backslash`)
)

// CheckClaimName says what is wrong with the name of a claim.
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

// find returns the claim's value; nil: it is absent or null, which are the same.
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

// PutClaim writes a claim where a worker with the same name for it looks. A
// member that is on the way and is no object is replaced.
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
