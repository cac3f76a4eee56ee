package router

import (
	"errors"
	"time"

	"belfry/pkg/amqpbus"
)

// EffectKind is what an Effect wants done.
type EffectKind uint8

// The effects. EffectPublish: publish Message, and call Settled with ID and the
// outcome. EffectAck: ack everything through Tag. EffectReopen: close the
// consumer and the publisher, call LinkLost, and open new ones.
const (
	EffectPublish EffectKind = iota + 1
	EffectAck
	EffectReopen
)

// Effect is something that a Core wants done. Effects are done in order.
type Effect struct {
	Kind    EffectKind
	ID      uint64
	Message amqpbus.Message
	Events  int    // EffectPublish of a batch: how many events are in it
	Reason  Reason // EffectPublish to the dead queue: why
	Tag     uint64
}

// Effects returns what is to be done, and forgets it. The slice is valid until
// the next but one call.
func (c *Core) Effects() []Effect {
	out := c.effects
	clear(c.used)
	c.effects, c.used = c.used[:0], out
	return out
}

// flightKind says what a publish that is not confirmed was.
type flightKind uint8

const (
	flightPlain flightKind = iota // nothing depends on it but tags
	flightBatch
	flightPulse
	flightGap
	flightLost
	flightMark
)

// flight is a publish that is not confirmed.
type flight struct {
	kind    flightKind
	peer    *peer // nil for plain ones and the mark
	tags    []uint64
	sent    time.Duration
	settled bool
}

// publish queues m. The tags, which the flight then owns, are pending on it.
func (c *Core) publish(kind flightKind, p *peer, tags []uint64, m amqpbus.Message) uint64 {
	id, f := c.flights.push()
	*f = flight{kind: kind, peer: p, tags: tags, sent: c.clock}
	c.effects = append(c.effects, Effect{Kind: EffectPublish, ID: id, Message: m})
	return id
}

// Settled says what became of a publish: nil, or an error that is
// amqpbus.ErrRefused, ErrUnroutable or ErrLinkLost. The last one changes
// nothing: LinkLost follows. Unknown ids are those of an earlier reign, or of a
// publish that was given up.
func (c *Core) Settled(id uint64, err error) {
	if errors.Is(err, amqpbus.ErrLinkLost) || errors.Is(err, amqpbus.ErrClosed) {
		return
	}
	c.land(id, err)
	c.advance()
}

// errTimeOut is a confirm that did not come.
var errTimeOut = errors.New("not confirmed in time")

// timeOut gives up publishes that were not confirmed for too long.
func (c *Core) timeOut() {
	for id := c.flights.first; id < c.flights.next(); id++ {
		f := c.flights.at(id)
		if f == nil {
			continue // it left the line together with one before it
		}
		if c.clock-f.sent < c.o.Timing.Confirm {
			return
		}
		c.land(id, errTimeOut)
	}
}

func (c *Core) land(id uint64, err error) {
	f := c.flights.at(id)
	if f == nil || f.settled {
		return
	}
	f.settled = true
	landed := *f
	f.tags = nil
	for f := c.flights.front(); f != nil && f.settled; f = c.flights.front() {
		c.flights.pop()
	}
	if landed.peer != nil && landed.kind != flightLost {
		landed.peer.unroutable = errors.Is(err, amqpbus.ErrUnroutable)
	}
	switch landed.kind {
	case flightBatch:
		c.landBatch(landed, err)
	case flightPulse:
		c.landPulse(landed.peer, id, err)
	case flightGap:
		c.landGap(landed, err)
	case flightLost:
		c.landLost(landed, id, err)
	case flightMark:
		c.noteQueue(err)
		if err != nil {
			c.marked = 0
		}
	case flightPlain:
		c.settle(landed.tags)
	}
	if landed.peer == c.all && c.all.settled() {
		c.pumpAll()
	}
}

// settle takes one pending thing from each tag and keeps the slice for reuse.
func (c *Core) settle(tags []uint64) {
	for _, tag := range tags {
		if e := c.ledger.at(tag); e != nil {
			e.pending--
		}
	}
	if cap(tags) > 0 && len(c.spare) < 256 {
		c.spare = append(c.spare, tags[:0])
	}
}

// tags returns a slice with a copy of the given tags.
func (c *Core) tags(from ...uint64) []uint64 {
	var out []uint64
	if n := len(c.spare); n > 0 {
		out, c.spare = c.spare[n-1], c.spare[:n-1]
	}
	return append(out, from...)
}
