package connection

import (
	"context"

	"go.uber.org/zap"

	"belfry/pkg/protocol"
	"belfry/services/gateway/internal/wsconn"
)

// handle handles one message: it replaces the client's groups, or answers why not.
func (c *Conn) handle(ctx context.Context, message []byte) {
	groups, err := protocol.DecodeClientMessage(message, protocol.ClientLimits{MaxGroups: c.all.o.MaxGroups})
	if err != nil {
		c.ws.Send(wsconn.FrameText(protocol.ErrorFrame(err.Error()))) // its text is made for clients
		if !c.invalid.take(1/forgiveEvery.Seconds(), c.all.o.InvalidMessages) {
			c.Close(protocol.CloseRate, "")
		}
		return
	}
	if !c.waitTurn(ctx, groups) {
		return
	}
	allowed, denied, ok := c.authorize(ctx, groups)
	if !ok {
		return
	}
	for _, g := range denied {
		c.ws.Push(wsconn.FrameText(protocol.DeniedFrame(g)))
	}
	c.ws.Flush()
	c.replace(ctx, allowed)
}

// authorize asks which groups may be seen. Anything not allowed is denied. ok
// is false when the message has been answered: nothing may change.
func (c *Conn) authorize(ctx context.Context, groups []protocol.Group) (allowed, denied []protocol.Group, ok bool) {
	if len(groups) == 0 {
		return nil, nil, true
	}
	d, err := c.all.relay.Authorize(ctx, c.id, c.identity, groups)
	switch {
	case err != nil || d.Verdict == protocol.VerdictUnavailable:
		c.unavailable("authorize", err)
		return nil, nil, false
	case d.Verdict != protocol.VerdictAccept:
		// The identity is no longer good.
		c.Close(protocol.CloseToken, "")
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

// replace makes the new set of groups active and answers the client.
func (c *Conn) replace(ctx context.Context, set []protocol.Group) {
	current := c.all.hub.Groups(c.conn)
	joined, left := minus(set, current), minus(current, set)
	answer := protocol.GroupsFrame(set, left, joined)
	if len(joined)+len(left) == 0 {
		c.all.hub.Apply(c.conn, nil, nil, answer)
		return
	}
	if !c.known() {
		return
	}
	applied := false
	err := c.all.relay.Subscribe(ctx, c.id, set, func() { applied = c.all.hub.Apply(c.conn, joined, left, answer) })
	switch {
	case err != nil:
		c.unavailable("subscribe", err)
	case applied:
		c.reportSet(set)
	}
}

// known makes the connection known to the relay, once. It reports false when the
// connection has ended.
func (c *Conn) known() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == Closed {
		return false
	}
	if !c.following {
		c.following = true
		c.all.relay.Open(c.id)
	}
	return true
}

// reportSet reports the new set, unless the end of the connection was reported
// already.
func (c *Conn) reportSet(set []protocol.Group) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == Closed {
		return
	}
	r := c.report(protocol.LifeSubscribed)
	r.Groups = set
	c.all.relay.Report(r)
}

// unavailable tells the client that its groups have not changed.
func (c *Conn) unavailable(what string, err error) {
	c.all.log.Debug("subscriptions not changed, client told to try again", zap.Uint64("conn", uint64(c.id)), zap.String("step", what), zap.Error(err))
	c.ws.Send(wsconn.FrameText(protocol.ErrorFrame(protocol.Unavailable)))
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
