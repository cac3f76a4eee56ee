package router

import (
	"errors"
	"slices"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

// peer is the send state of one gateway in this reign, or of all (the flood):
// id is empty then. A peer is kept after its gateway was buried, because its
// numbers must go on should the gateway come back.
type peer struct {
	id       protocol.GatewayID
	member   bool // the table has it
	gone     bool // it said bye or was buried: nobody waits for it
	accepted bool // it answered this reign with a snapshot
	asked    time.Duration

	pile     []uint64 // tags that wait for a batch
	flying   int      // batches in the air
	sequence uint64   // number of the last batch

	unroutable bool   // the last publish to it was returned
	lagging    bool   // it missed events and no probe was confirmed since
	skipped    bool   // events were passed by since its last number
	probe      uint64 // the pulse in the air that will end the lag; 0: none
	probed     time.Duration

	lostFlight uint64   // the lost message in the air; 0: none
	placed     []uint64 // lost messages confirmed and not acked, by publish id
	uncovered  []uint64 // tags that wait for a lost message to be published
	again      bool     // the lost message failed: publish it with the next tick
}

// skipping: a lagging gateway is sent nothing until a probe is on its way. The
// flood is never skipped, because others may get it.
func (p *peer) skipping() bool { return p.lagging && p.probe == 0 && p.id != "" }

// settled: every batch sent has arrived, or its loss is in the shard's queue.
func (p *peer) settled() bool {
	return p.flying == 0 && p.lostFlight == 0 && len(p.uncovered) == 0
}

func (p *peer) displace(id uint64) {
	p.placed = slices.DeleteFunc(p.placed, func(other uint64) bool { return other == id })
}

// peer finds or makes the state of a gateway; the empty one is all.
func (c *Core) peer(id protocol.GatewayID) *peer {
	p := c.peers[id]
	if p == nil {
		p = &peer{id: id, asked: -time.Hour}
		c.peers[id] = p
		c.order = append(c.order, p)
	}
	return p
}

// part gives up a gateway that is dead or said bye: nobody waits for it.
func (c *Core) part(p *peer) {
	p.member, p.gone = false, true
	p.lagging, p.probe, p.skipped, p.again = false, 0, false, false
	if len(p.pile) > 0 {
		p.sequence++ // should it come back, it has a hole
		c.settle(p.pile)
		p.pile = nil
	}
	c.settle(p.uncovered)
	p.uncovered = nil
	c.unpin(p)
}

// keepPulse sends every live gateway the numbers that must have arrived (R6),
// and lagging ones a probe.
func (c *Core) keepPulse() {
	due := c.clock-c.pulsed >= c.o.Timing.Pulse
	if due {
		c.pulsed = c.clock
	}
	for _, p := range c.order {
		probe := p.lagging && p.probe == 0 && c.clock-p.probed >= c.o.Timing.Probe
		regular := due && (p.member || p == c.all && c.flooding)
		if probe || regular {
			c.pulse(p)
		}
	}
}

func (c *Core) pulse(p *peer) {
	if p.skipped {
		p.sequence++ // a number that never arrives: the gateway sees the hole
		p.skipped = false
	}
	m := protocol.Pulse{Reign: c.reign, Direct: p.sequence, Flood: c.all.sequence, Flooding: c.flooding, Member: p.member}
	if p == c.all {
		m.All, m.Direct = true, 0
	}
	id := c.publish(flightPulse, p, nil, c.toGateway(p.id, protocol.TypePulse, protocol.Encode(m)))
	if p.lagging && p.probe == 0 {
		p.probe, p.probed = id, c.clock
	}
}

func (c *Core) landPulse(p *peer, id uint64, err error) {
	if errors.Is(err, amqpbus.ErrUnroutable) && !p.member && p != c.all {
		c.part(p)
		return
	}
	if p.probe != id {
		return
	}
	p.probe = 0
	if err == nil {
		p.lagging = false
		c.unpin(p)
		c.uncover(p)
	}
}
