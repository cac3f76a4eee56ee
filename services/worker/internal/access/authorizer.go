package access

import (
	"context"
	"fmt"

	"belfry/pkg/protocol"
	"belfry/services/worker/auth"
)

// Result divides the groups that were asked for, each part in the order asked.
type Result struct {
	Allowed []protocol.Group
	Denied  []protocol.Group
}

// Asker decides the groups that the policy leaves to the application: it
// returns those that are allowed. Application implements it.
type Asker interface {
	Ask(ctx context.Context, id auth.Identity, groups []protocol.Group) (map[protocol.Group]bool, error)
}

// Authorizer applies a policy.
type Authorizer struct {
	policy *Policy
	asker  Asker // nil: no rule asks
}

// NewAuthorizer joins a policy with the application that it asks. asker may be
// nil when the policy does not ask.
func NewAuthorizer(policy *Policy, asker Asker) (*Authorizer, error) {
	if policy.AsksApplication() && asker == nil {
		return nil, fmt.Errorf(`the policy has rules that allow "application", but there is no application to ask`)
	}
	return &Authorizer{policy: policy, asker: asker}, nil
}

// Authorize decides about all the groups of one client message. On an error
// nothing is decided: not even what the policy alone would allow.
func (a *Authorizer) Authorize(ctx context.Context, id auth.Identity, groups []protocol.Group) (Result, error) {
	user, err := protocol.ParseUser(id.User)
	if err != nil {
		return Result{}, fmt.Errorf("authorize: %w", err)
	}
	claims := parseClaims(id.Groups)
	opinions := make([]opinion, len(groups))
	var open []protocol.Group
	for i, g := range groups {
		opinions[i] = a.policy.judge(g, user, claims)
		if opinions[i] == ask {
			open = append(open, g)
		}
	}
	var said map[protocol.Group]bool
	if len(open) > 0 {
		if said, err = a.asker.Ask(ctx, id, open); err != nil {
			return Result{}, fmt.Errorf("ask the application about %d groups: %w", len(open), err)
		}
	}
	var out Result
	for i, g := range groups {
		if opinions[i] == allowed || (opinions[i] == ask && said[g]) {
			out.Allowed = append(out.Allowed, g)
		} else {
			out.Denied = append(out.Denied, g)
		}
	}
	return out, nil
}
