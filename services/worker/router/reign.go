package router

import (
	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

// begin starts a reign (R1): a new epoch, an empty table, a flood, and the
// question to all gateways. Acks wait for the fence (R2).
func (c *Core) begin() {
	epoch := max(uint64(max(c.wall.UnixMilli(), 1)), c.highest+1)
	c.highest = epoch
	c.reign = protocol.Reign{Shard: c.o.Shard, Epoch: epoch, Worker: c.o.Worker}
	c.reigning, c.flooding, c.accepted = true, true, false
	c.began, c.marked, c.pulsed = c.clock, 0, c.clock
	c.forget()
	c.stats.Epochs++
	c.ask("")
}

// forget drops everything that belongs to a reign but the ledger. Publishes in
// the air no longer count.
func (c *Core) forget() {
	c.table.Reset()
	c.peers = make(map[protocol.GatewayID]*peer)
	c.order = nil
	c.all = c.peer("")
	c.pins = nil
	c.flights.reset(c.flights.next())
}

// Stale says that a gateway knows a higher reign. A gateway that never accepted
// this one remembers an earlier worker with a faster clock: the epoch is raised
// in place. One that had accepted it says that somebody came after us: the
// shard is given back, because a frozen worker must not fence its successor.
func (c *Core) Stale(m protocol.Stale) {
	if m.Highest.Shard != c.o.Shard {
		return
	}
	c.Seen(m.Highest.Epoch)
	if !c.reigning || m.Refused != c.reign || !c.reign.Before(m.Highest) {
		return
	}
	c.stats.Stale++
	if p := c.peers[m.Gateway]; p != nil && p.accepted {
		c.effects = append(c.effects, Effect{Kind: EffectReopen})
		return
	}
	c.raise()
}

// raise begins a higher reign over the same consumer and works through the
// ledger once more, as if it had just been delivered: unacked emits are sent
// again, unacked control messages applied again.
func (c *Core) raise() {
	c.begin()
	for i := range c.ledger.count {
		c.ledger.at(c.ledger.first + uint64(i)).pending = 0
	}
	for i := range c.ledger.count {
		c.take(c.ledger.first + uint64(i))
	}
	c.pumpAll()
	c.advance()
}

// Snapshot takes a part of a gateway's interest. One that answers this reign
// accepts it, which opens the fence; others are ignored.
func (c *Core) Snapshot(m protocol.Snapshot) {
	if !c.reigning || m.Reign != c.reign || !stamped(m.Stamp) {
		c.stats.Ignored++
		return
	}
	c.accepted = true
	p := c.peer(m.Gateway)
	first := !p.accepted
	p.accepted = true
	c.met(c.table.Snapshot(c.clock, m))
	if first && p.member {
		c.pulse(p) // it knows now that this reign serves it
	}
	c.advance()
}

// openFence lets acks go when no gateway answered in time.
func (c *Core) openFence() {
	if !c.accepted && c.clock-c.began >= c.o.Timing.Fence {
		c.accepted = true
	}
}

// keepMark publishes the mark after the grace, and again when it does not come
// through (the queue may have been purged).
func (c *Core) keepMark() {
	if !c.flooding || c.clock-c.began < c.o.Timing.Grace {
		return
	}
	if c.marked != 0 && c.clock-c.marked < c.o.Timing.Grace+c.o.Timing.Confirm {
		return
	}
	c.marked = c.clock
	c.publish(flightMark, nil, nil, c.toShard(protocol.TypeMark,
		protocol.Encode(protocol.Mark{Worker: c.o.Worker, Epoch: c.reign.Epoch})))
}

// endFlood is the mark coming through the queue (R4). What waits in the flood's
// pile must be in front of the first direct batch.
func (c *Core) endFlood() {
	c.pump(c.all, true)
	c.flooding = false
	c.pulse(c.all)
}

// ask asks one gateway, or all, for a snapshot. An ask that is lost is repeated
// by keepAsking.
func (c *Core) ask(gateway protocol.GatewayID) {
	c.peer(gateway).asked = c.clock
	c.publish(flightPlain, nil, nil, c.toGateway(gateway, protocol.TypeAsk,
		protocol.Encode(protocol.Ask{Reign: c.reign})))
}

// keepAsking asks the gateways again that are not in sync.
func (c *Core) keepAsking() {
	for _, g := range c.table.Unsynced() {
		if c.clock-g.Peer.asked >= c.o.Timing.Pulse {
			c.ask(g.ID)
		}
	}
}

func (c *Core) toGateway(gateway protocol.GatewayID, kind string, body []byte) amqpbus.Message {
	m := amqpbus.Message{
		Exchange: amqpbus.ExchangeReply, Key: string(gateway), Type: kind,
		ReplyTo: string(c.o.Worker), Mandatory: true, Body: body,
	}
	if gateway == "" {
		m.Exchange = amqpbus.ExchangeReplyAll
	}
	return m
}

func (c *Core) toShard(kind string, body []byte) amqpbus.Message {
	return amqpbus.Message{
		Exchange: amqpbus.InterestExchange(c.o.Shards), Key: amqpbus.ShardKey(c.o.Shard),
		Type: kind, Mandatory: true, Body: body,
	}
}
