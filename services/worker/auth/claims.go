package auth

import (
	"fmt"

	"go.uber.org/zap"

	"belfry/pkg/protocol"
)

// ClaimNames says where a token keeps the user's id, the group patterns and the
// login session. A name may be a path, see CheckClaimName.
type ClaimNames struct {
	User   string // a string or an integer; required in the token
	Groups string // a list of strings, or one string; may be absent in the token
	SID    string // a string or an integer; may be absent in the token
}

// Bounds of what is taken from a token. The identity travels with every
// question and stays in the gateway's memory for as long as the connection.
const (
	maxTokenBytes    = 8 << 10
	maxClaimPatterns = 256
	maxPatternBytes  = protocol.MaxGroupBytes + 1 // and the dash
)

// claimReader makes an identity of a token's claims.
type claimReader struct {
	user, groups, sid claimPath
	ignored           *ignored
}

func newClaimReader(n ClaimNames, logger *zap.Logger, m *Metrics) (*claimReader, error) {
	var r claimReader
	for _, p := range []struct {
		path *claimPath
		name string
	}{{&r.user, n.User}, {&r.groups, n.Groups}, {&r.sid, n.SID}} {
		if p.name == "" { // the claim is not used
			continue
		}
		path, err := parseClaimPath(p.name)
		if err != nil {
			return nil, fmt.Errorf("the name of a claim %q: %w", p.name, err)
		}
		*p.path = path
	}
	r.ignored = newIgnored(n.Groups, logger, m)
	return &r, nil
}

// read reads the user's id and the login session strictly and the groups
// leniently: a groups claim in an unexpected form grants nothing, but the user
// may still connect.
func (r *claimReader) read(claims map[string]any) (Identity, error) {
	value := r.user.find(claims)
	if value == nil {
		return Identity{}, refused("the token has no claim %q", r.user.text)
	}
	user, err := userOf(value)
	if err != nil {
		return Identity{}, refused("claim %q: %w", r.user.text, err)
	}
	sid, err := sidOf(r.sid.find(claims))
	if err != nil {
		return Identity{}, refused("claim %q: %w", r.sid.text, err)
	}
	return Identity{User: user, Groups: r.patterns(r.groups.find(claims)), SID: sid}, nil
}

// patterns accepts nothing, a list of strings, or one string. Any other value
// grants nothing and is reported.
func (r *claimReader) patterns(value any) []string {
	var list []any
	switch v := value.(type) {
	case nil:
		return nil
	case string:
		list = []any{v}
	case []any:
		list = v
	default:
		r.ignored.report(ignoredShape)
		return nil
	}
	out := make([]string, 0, min(len(list), maxClaimPatterns))
	for _, item := range list {
		text, ok := item.(string)
		switch {
		case !ok:
			r.ignored.report(ignoredItem)
		case len(text) > maxPatternBytes:
			r.ignored.report(ignoredLong)
		case len(out) == maxClaimPatterns:
			r.ignored.report(ignoredMany)
			return out
		default:
			out = append(out, text)
		}
	}
	return out
}
