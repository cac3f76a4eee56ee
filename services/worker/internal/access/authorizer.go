package access

import (
	"context"
	"errors"
	"fmt"

	"belfry/pkg/protocol"
	"belfry/services/worker/auth"
)

// Result divides the groups of a question, each part in the order of the question.
type Result struct {
	Allowed []protocol.Group
	Denied  []protocol.Group
}

// Asker decides about groups for which the policy says "application", and returns
// those that are allowed. Application implements it.
type Asker interface {
	Ask(ctx context.Context, id auth.Identity, groups []protocol.Group) (map[protocol.Group]bool, error)
}

// Authorizer applies a policy.
type Authorizer struct {
	policy *Policy
	asker  Asker // nil: no rule asks
}

// NewAuthorizer combines a policy with the application to ask. asker may be nil if
// no rule of the policy allows "application".
func NewAuthorizer(policy *Policy, asker Asker) (*Authorizer, error) {
	if policy.AsksApplication() && asker == nil {
		return nil, errors.New(`set the address of the application, because the policy has rules that allow "application"`)
	}
	return &Authorizer{policy: policy, asker: asker}, nil
}

// Authorize decides about all groups of one client message. If it returns an error,
// no group is decided, not even those that the policy alone would allow.
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
