package session

import (
	"context"

	"go.uber.org/zap"

	"belfry/pkg/protocol"
	"belfry/services/gateway/internal/wsconn"
)

// handle works on one message: it replaces the set of groups, or says why not.
func (s *Session) handle(ctx context.Context, message []byte) {
	groups, err := protocol.DecodeClientMessage(message, protocol.ClientLimits{MaxGroups: s.all.o.MaxGroups})
	if err != nil {
		s.ws.Send(wsconn.FrameText(protocol.ErrorFrame(err.Error()))) // its text is made for clients
		if !s.invalid.take(1/forgiveEvery.Seconds(), s.all.o.InvalidMessages) {
			s.Close(protocol.CloseRate, "")
		}
		return
	}
	allowed, denied, ok := s.authorize(ctx, groups)
	if !ok {
		return
	}
	for _, g := range denied {
		s.ws.Push(wsconn.FrameText(protocol.DeniedFrame(g)))
	}
	s.ws.Flush()
	s.replace(ctx, allowed)
}

// authorize asks which groups may be seen. Anything not allowed is denied. ok
// is false when the message has been answered: nothing may change.
func (s *Session) authorize(ctx context.Context, groups []protocol.Group) (allowed, denied []protocol.Group, ok bool) {
	if len(groups) == 0 {
		return nil, nil, true
	}
	d, err := s.all.relay.Authorize(ctx, s.id, s.proof, groups)
	switch {
	case err != nil || d.Verdict == protocol.VerdictUnavailable:
		s.unavailable("authorize", err)
		return nil, nil, false
	case d.Verdict != protocol.VerdictAccept:
		// The session context itself is no longer good.
		s.Close(protocol.CloseToken, "")
		return nil, nil, false
	}
	yes := setOf(d.Allowed)
	for _, g := range groups {
		if _, in := yes[g]; in {
			allowed = append(allowed, g)
		} else {
			denied = append(denied, g)
		}
	}
	return allowed, denied, true
}

// replace makes the set of groups active and answers. The references are taken
// before the hub knows the members, and given back after it forgot them, so
// that a group's route outlives its last member here.
func (s *Session) replace(ctx context.Context, set []protocol.Group) {
	current := s.all.hub.Groups(s.conn)
	joined, left := minus(set, current), minus(current, set)
	if len(joined) > 0 {
		if err := s.all.relay.Join(ctx, joined); err != nil {
			s.unavailable("join", err)
			return
		}
	}
	applied := false
	defer func() {
		if !applied && len(joined) > 0 {
			s.all.relay.Leave(joined) // the connection ended meanwhile
		}
	}()
	applied = s.all.hub.Apply(s.conn, joined, left, protocol.GroupsFrame(set, left, joined))
	if !applied || len(joined)+len(left) == 0 {
		return
	}
	s.reportSet(set)
	if len(left) > 0 {
		s.all.relay.Leave(left)
	}
}

// reportSet reports the set, unless the end was reported already.
func (s *Session) reportSet(set []protocol.Group) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == Closed {
		return
	}
	r := s.report(protocol.LifeSubscribed)
	r.Groups = set
	s.all.relay.Report(r)
}

// unavailable tells the client that its set stays as it was.
func (s *Session) unavailable(what string, err error) {
	s.all.log.Debug("subscriptions not changed, client told to try again", zap.Uint64("conn", uint64(s.id)), zap.String("step", what), zap.Error(err))
	s.ws.Send(wsconn.FrameText(protocol.ErrorFrame(protocol.Unavailable)))
}

func setOf(groups []protocol.Group) map[protocol.Group]struct{} {
	out := make(map[protocol.Group]struct{}, len(groups))
	for _, g := range groups {
		out[g] = struct{}{}
	}
	return out
}

// minus returns what is in a and not in b, in a's order.
func minus(a, b []protocol.Group) []protocol.Group {
	not := setOf(b)
	var out []protocol.Group
	for _, g := range a {
		if _, in := not[g]; !in {
			out = append(out, g)
		}
	}
	return out
}
