package router

import (
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
	"belfry/services/worker/internal/directory"
)

// control works on a control message of the shard's queue.
func (c *Core) control(tag uint64, d *amqpbus.Delivery) {
	trusted, known := false, true
	switch d.Type {
	case protocol.TypeInterest, protocol.TypeHeartbeat, protocol.TypeBye:
		trusted = c.o.Users.Gateways.Trusts(d)
	case protocol.TypeMark, protocol.TypeLost:
		trusted = c.o.Users.Workers.Trusts(d)
	default:
		known = false
	}
	switch {
	case !known:
		c.park(tag, ReasonUnknown)
	case !trusted:
		c.park(tag, ReasonForged)
	case !c.apply(tag, d):
		c.park(tag, ReasonControl)
	}
}

// apply reports whether the message was understood.
func (c *Core) apply(tag uint64, d *amqpbus.Delivery) bool {
	switch d.Type {
	case protocol.TypeInterest:
		m, err := protocol.Decode[protocol.Interest](d.Body)
		if err != nil || !stamped(m.Stamp) {
			return false
		}
		c.met(c.table.Interest(c.clock, m))
	case protocol.TypeHeartbeat:
		m, err := protocol.Decode[protocol.Heartbeat](d.Body)
		if err != nil || !stamped(m.Stamp) {
			return false
		}
		c.met(c.table.Heartbeat(c.clock, m))
	case protocol.TypeBye:
		m, err := protocol.Decode[protocol.Bye](d.Body)
		if err != nil || !stamped(m.Stamp) {
			return false
		}
		if g := c.table.Bye(m); g != nil {
			c.part(g.Peer)
		}
	case protocol.TypeMark:
		m, err := protocol.Decode[protocol.Mark](d.Body)
		if err != nil {
			return false
		}
		c.Seen(m.Epoch)
		if c.flooding && m.Worker == c.o.Worker && m.Epoch == c.reign.Epoch {
			c.endFlood()
		}
	case protocol.TypeLost:
		m, err := protocol.Decode[protocol.Lost](d.Body)
		if err != nil {
			return false
		}
		c.consumeLost(tag, d, m)
	}
	return true
}

// maxIdentity bounds an identity in bytes: it becomes a routing key and part of
// a queue's name.
const maxIdentity = 200

func stamped(s protocol.Stamp) bool {
	return s.Gateway != "" && len(s.Gateway) <= maxIdentity && s.Link > 0
}

// met acts on what the table made of a gateway's message.
func (c *Core) met(v directory.Verdict[*peer]) {
	if v.Gateway == nil {
		c.stats.Ignored++
		return
	}
	if v.Gateway.Peer == nil {
		p := c.peer(v.Gateway.ID)
		p.member, p.gone, p.unroutable = true, false, false
		v.Gateway.Peer = p
	}
	if v.New && !v.Blank && !c.flooding {
		// It was silent past the mark, or buried, and had members: what was
		// routed without it is lost to it.
		c.gap(v.Gateway.Peer, nil)
	}
	if v.Ask && (v.New || c.clock-v.Gateway.Peer.asked >= c.o.Timing.Fence) {
		c.ask(v.Gateway.ID)
	}
}

// bury takes out gateways whose queue is gone and that were silent for three
// heartbeats of the shard's queue (R12). Shard 0 tells the world.
func (c *Core) bury() {
	if silence := 3 * c.o.Timing.Heartbeat; c.full && c.clock-c.fullAt < silence {
		return
	}
	list := c.table.Gateways()
	for i := len(list) - 1; i >= 0; i-- {
		g := list[i]
		if !g.Peer.unroutable || c.clock-g.Heard() < 3*c.o.Timing.Heartbeat {
			continue
		}
		c.table.Remove(g)
		c.part(g.Peer)
		c.stats.Lost++
		if c.o.Shard == 0 {
			c.publish(flightPlain, nil, nil, gatewayLost(g.ID, c.wall))
		}
		list = c.table.Gateways()
	}
}

// gatewayLost reports a dead gateway. The message id is the same from every
// worker.
func gatewayLost(id protocol.GatewayID, at time.Time) amqpbus.Message {
	report := protocol.LifeReport{
		ID: string(id) + ".lost", Kind: protocol.LifeGatewayLost, Gateway: id,
		At: at.UnixMilli(), Reason: "lost",
	}
	return amqpbus.Message{
		Exchange: amqpbus.ExchangeEvents, Key: string(protocol.LifeGatewayLost), Type: string(protocol.LifeGatewayLost),
		ID: report.ID, Body: protocol.Encode(report),
	}
}
