package interest

import (
	"slices"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

// Snapshot returns the full interest as of the current revision, in parts, for
// the worker of the reign that asked; nil while there is no link. It is to be
// published in order with the other effects.
func (c *Core) Snapshot(reign protocol.Reign) []Effect {
	if !c.up || c.bye.wanted {
		return nil
	}
	groups := make([]protocol.Group, 0, c.count)
	for g, e := range c.groups {
		if e.announced {
			groups = append(groups, g)
		}
	}
	slices.Sort(groups)
	parts := max(1, (len(groups)+c.o.MaxGroups-1)/c.o.MaxGroups)
	out := make([]Effect, parts)
	for i := range out {
		n := min(c.o.MaxGroups, len(groups))
		m := protocol.Snapshot{
			Stamp: c.stamp(c.revision), Reign: reign, Part: i, Parts: parts, Groups: groups[:n],
		}
		groups = groups[n:]
		out[i] = Effect{Kind: KindSnapshot, Link: c.link, Revision: c.revision, Message: amqpbus.Message{
			Exchange: amqpbus.ExchangeReply, Key: string(reign.Worker), Type: protocol.TypeSnapshot,
			ReplyTo: string(c.o.Gateway), Mandatory: true, Body: protocol.Encode(m),
		}}
	}
	return out
}
