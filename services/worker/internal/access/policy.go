package access

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"belfry/pkg/exactjson"
	"belfry/pkg/protocol"
)

// maxPolicyFile is the largest policy file in bytes.
const maxPolicyFile = 1 << 20

// The ways in which a rule allows, as the policy file spells them.
const (
	allowAll         = "all"
	allowClaim       = "claim"
	allowApplication = "application"
)

// rule is one template of a rule of the file.
type rule struct {
	template                template
	all, claim, application bool
}

// Policy is a parsed policy file. It never changes.
type Policy struct {
	byName map[string][]rule // by the name of the template
	others []rule            // of the template "*"
	asks   bool              // a rule allows "application"
}

type policyFile struct {
	Comment json.RawMessage `json:"comment"`
	Rules   []struct {
		Comment json.RawMessage `json:"comment"`
		Groups  []string        `json:"groups"`
		Allow   []string        `json:"allow"`
	} `json:"rules"`
}

// LoadPolicy reads a policy file.
func LoadPolicy(path string) (*Policy, error) {
	f, err := os.Open(path) // the operator's own configuration names the path
	if err != nil {
		return nil, fmt.Errorf("read policy: %w", err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxPolicyFile+1))
	if err != nil {
		return nil, fmt.Errorf("read policy %s: %w", path, err)
	}
	if len(text) > maxPolicyFile {
		return nil, fmt.Errorf("read policy %s: it is larger than %d bytes", path, maxPolicyFile)
	}
	p, err := ParsePolicy(text)
	if err != nil {
		return nil, fmt.Errorf("read policy %s: %w", path, err)
	}
	return p, nil
}

// ParsePolicy parses the text of a policy file. If any rule is wrong, it returns an error
// with the rule's line, and no policy.
func ParsePolicy(text []byte) (*Policy, error) {
	var file policyFile
	if err := exactjson.Decode(text, &file); err != nil {
		return nil, err
	}
	p := &Policy{byName: map[string][]rule{}}
	for i, r := range file.Rules {
		if wrong := p.add(r.Groups, r.Allow); wrong != nil {
			return nil, wrong.in(text, i)
		}
	}
	if len(file.Rules) == 0 {
		return nil, errors.New("it has no rules, so nobody could see anything: add at least one")
	}
	return p, nil
}

func (p *Policy) add(groups, allow []string) *mistake {
	if len(groups) == 0 || len(allow) == 0 {
		return &mistake{err: errors.New(`it needs "groups" and "allow", and neither may be empty`)}
	}
	var r rule
	for i, way := range allow {
		switch way {
		case allowAll:
			r.all = true
		case allowClaim:
			r.claim = true
		case allowApplication:
			r.application, p.asks = true, true
		default:
			return &mistake{[]any{"allow", i}, unknownWay(way)}
		}
	}
	for i, text := range groups {
		t, err := parseTemplate(text)
		if err != nil {
			return &mistake{[]any{"groups", i}, err}
		}
		r.template = t
		if t.name == "" {
			p.others = append(p.others, r)
		} else {
			p.byName[t.name] = append(p.byName[t.name], r)
		}
	}
	return nil
}

// AsksApplication reports whether a rule needs an Application.
func (p *Policy) AsksApplication() bool { return p.asks }

// opinion is what the policy says about one group without the application.
type opinion int

const (
	denied opinion = iota
	allowed
	ask // the application decides
)

func (p *Policy) judge(g protocol.Group, user string, claims claimSet) opinion {
	rules, named := p.byName[g.Name()]
	if !named {
		rules = p.others
	}
	item, out := g.Item(), denied
	for _, r := range rules {
		if !r.template.matches(item, user) {
			continue
		}
		if r.all || (r.claim && claims.has(g)) {
			return allowed
		}
		if r.application {
			out = ask
		}
	}
	return out
}

// claimSet is the parsed groups claim of a token.
type claimSet struct {
	every bool                    // "*"
	names map[string]bool         // the names of `name-*`
	exact map[protocol.Group]bool // all other entries, which match one group literally
}

func parseClaims(patterns []string) claimSet {
	c := claimSet{names: map[string]bool{}, exact: map[protocol.Group]bool{}}
	for _, text := range patterns {
		g := protocol.Group(text)
		switch {
		case text == "*":
			c.every = true
		case g.Item() == "*" && g.Name() != "":
			c.names[g.Name()] = true
		default:
			c.exact[g] = true
		}
	}
	return c
}

func (c claimSet) has(g protocol.Group) bool {
	return c.every || c.names[g.Name()] || c.exact[g]
}
