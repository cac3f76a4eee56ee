package router

import (
	"slices"

	"belfry/pkg/protocol"
)

const (
	maxBatchEvents = 128
	maxBatchBytes  = 512 << 10
	maxFlying      = 4 // unconfirmed batches of a gateway before its emits pile up
)

// emit puts an emit on the piles of the gateways that want it.
func (c *Core) emit(tag uint64, e *entry) {
	group, reason := c.groupOf(&e.delivery)
	if reason == "" {
		reason = checkPayload(e.delivery.Body)
	}
	if reason != "" {
		c.park(tag, reason)
		return
	}
	e.group = group
	c.follow(e, group)
	c.stats.Emits++
	if c.flooding {
		c.pileUp(c.all, tag, e)
		return
	}
	for _, g := range c.table.Interested(group) {
		if g.Synced() {
			c.pileUp(g.Peer, tag, e)
		}
	}
	for _, g := range c.table.Unsynced() {
		c.pileUp(g.Peer, tag, e)
	}
}

// pileUp adds an emit to a peer's pile, or passes a lagging peer by.
func (c *Core) pileUp(p *peer, tag uint64, e *entry) {
	if p.skipping() {
		p.skipped = true
		c.cover(p, c.tags(tag))
		return
	}
	e.pending++
	p.pile = append(p.pile, tag)
}

// pumpAll sends what may be sent of every pile, gateways in the order they came.
func (c *Core) pumpAll() {
	for _, p := range c.order {
		c.pump(p, false)
	}
}

// pump sends batches from a pile while few enough are in the air; all of it
// with force. Direct ones wait for the end of the flood to be settled: no
// gateway may have them before what the flood's last batches failed to bring
// is told, or sent again by a successor.
func (c *Core) pump(p *peer, force bool) {
	if p != c.all && !c.all.settled() {
		return
	}
	for len(p.pile) > 0 && (force || p.flying < maxFlying) {
		c.sendBatch(p)
	}
}

func (c *Core) sendBatch(p *peer) {
	n := c.pack(p.pile)
	tags := c.tags(p.pile[:n]...)
	p.pile = slices.Delete(p.pile, 0, n)
	p.sequence++
	p.flying++
	batch := protocol.Batch{Reign: c.reign, Mode: protocol.ModeDirect, Sequence: p.sequence, Events: c.scratch}
	if p == c.all {
		batch.Mode = protocol.ModeFlood
	}
	c.publish(flightBatch, p, tags, c.toGateway(p.id, protocol.TypeBatch, batch.Encode()))
	c.effects[len(c.effects)-1].Events = n
	c.stats.Batches++
}

// pack fills scratch with the events of a batch and returns how many they are:
// at least one, so an event over the byte bound travels alone.
func (c *Core) pack(pile []uint64) int {
	c.scratch = c.scratch[:0]
	size := 0
	for _, tag := range pile {
		e := c.ledger.at(tag)
		size += len(e.delivery.Body) + len(e.group) + len(e.delivery.ID)
		if n := len(c.scratch); n == maxBatchEvents || n > 0 && size > maxBatchBytes {
			break
		}
		c.scratch = append(c.scratch, protocol.Event{Group: e.group, ID: e.delivery.ID, Trace: e.trace, Payload: e.delivery.Body})
	}
	return len(c.scratch)
}

func (c *Core) landBatch(f flight, err error) {
	p := f.peer
	p.flying--
	if err == nil {
		c.settle(f.tags)
	} else {
		c.fail(p, f.tags)
	}
	c.pump(p, false)
}
