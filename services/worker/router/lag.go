package router

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

// pin is an own lost message that was consumed while its gateway still lags: it
// stays unacked until the gateway knows, or another one is behind it.
type pin struct {
	peer *peer
	tag  uint64
	id   uint64 // of the lost message's publish
	at   time.Duration
}

// pinHold is how long a pin may hold up the acks before the lost message is
// published again; less when the ledger is longer than pinRoom.
const (
	pinHold = 250 * time.Millisecond
	pinRoom = 500
)

// fail is a batch (or gap notice) that did not reach a peer (R5). Its tags, and
// those of its pile, are pending until a lost message is in the queue.
func (c *Core) fail(p *peer, tags []uint64) {
	if p.gone {
		c.settle(tags)
		return
	}
	if !p.lagging {
		c.stats.Lagged++
	}
	p.lagging, p.probe = true, 0
	if p != c.all && len(p.pile) > 0 {
		tags = append(tags, p.pile...)
		p.pile = p.pile[:0]
		p.skipped = true
	}
	for _, tag := range tags {
		c.ledger.at(tag).pending--
	}
	c.cover(p, tags)
}

// cover makes sure that a successor will know of the loss: the tags wait for a
// lost message unless one is in place.
func (c *Core) cover(p *peer, tags []uint64) {
	if len(p.placed) > 0 {
		c.spare = append(c.spare, tags[:0])
		return
	}
	for _, tag := range tags {
		c.ledger.at(tag).pending++
	}
	p.uncovered = append(p.uncovered, tags...)
	c.spare = append(c.spare, tags[:0])
	if p.lostFlight == 0 {
		c.publishLost(p)
		return
	}
	f := c.flights.at(p.lostFlight)
	f.tags = append(f.tags, p.uncovered...)
	p.uncovered = p.uncovered[:0]
}

// publishLost puts a lost message into the shard's queue, for everything of the
// peer that waits for one. Its message id is the flight's, so that it is
// recognised when it comes through.
func (c *Core) publishLost(p *peer) {
	m := c.toShard(protocol.TypeLost, protocol.Encode(protocol.Lost{
		Worker: c.o.Worker, Epoch: c.reign.Epoch, Gateway: p.id,
	}))
	m.ID = strconv.FormatUint(c.flights.next(), 10)
	p.lostFlight = c.publish(flightLost, p, c.tags(p.uncovered...), m)
	p.uncovered = p.uncovered[:0]
}

func (c *Core) landLost(f flight, id uint64, err error) {
	p := f.peer
	p.lostFlight = 0
	c.noteQueue(err)
	switch {
	case p.gone:
		c.settle(f.tags)
	case err == nil:
		p.placed = append(p.placed, id)
		c.settle(f.tags)
	default:
		// Nothing is acked past the loss: keepPins publishes it again.
		p.uncovered = append(p.uncovered, f.tags...)
		p.again = true
		if !p.lagging || p.unroutable {
			c.uncover(p)
		}
	}
}

// noteQueue learns from a publish into the shard's queue whether it is full. The
// word is good for three heartbeats: nothing more may be published there for long.
func (c *Core) noteQueue(err error) {
	c.full, c.fullAt = errors.Is(err, amqpbus.ErrRefused), c.clock
}

// uncover lets the acks go past a loss that the gateway has been shown, or finds
// by itself for want of a queue (R6): a full shard's queue could refuse the lost
// message for as long as nothing is acked. It is still tried again, for the
// successor and to know when the queue has room.
func (c *Core) uncover(p *peer) {
	c.settle(p.uncovered)
	p.uncovered = nil
}

// consumeLost is a lost message coming through the queue: an own one is held
// while the gateway lags, one of another reign is passed on as a gap.
func (c *Core) consumeLost(tag uint64, m *amqpbus.Delivery, lost protocol.Lost) {
	p := c.peer(lost.Gateway)
	if lost.Worker != c.o.Worker || lost.Epoch != c.reign.Epoch {
		c.Seen(lost.Epoch)
		c.ledger.at(tag).pending++
		c.gap(p, c.tags(tag))
		return
	}
	id, err := strconv.ParseUint(m.ID, 10, 64)
	if err != nil {
		return
	}
	c.land(id, nil) // the queue's own word, should the confirm be late
	if !slices.Contains(p.placed, id) {
		return // given up, and published again
	}
	if !p.lagging {
		p.displace(id)
		return
	}
	c.ledger.at(tag).pending++
	c.pins = append(c.pins, pin{p, tag, id, c.clock})
}

// keepPins publishes lost messages again that were refused, or that came
// through while their gateway still lags.
func (c *Core) keepPins() {
	for _, p := range c.order {
		if p.again && p.lostFlight == 0 {
			p.again = false
			c.publishLost(p)
		}
	}
	hurry := c.draining || c.ledger.count > pinRoom
	kept := c.pins[:0]
	for _, n := range c.pins {
		if n.peer.lostFlight != 0 || !hurry && c.clock-n.at < pinHold {
			kept = append(kept, n)
			continue
		}
		n.peer.displace(n.id)
		n.peer.uncovered = append(n.peer.uncovered, n.tag)
		c.publishLost(n.peer)
	}
	c.pins = kept
}

// unpin lets go of a peer's lost messages: it knows of its loss, or is dead.
func (c *Core) unpin(p *peer) {
	kept := c.pins[:0]
	for _, n := range c.pins {
		if n.peer != p {
			kept = append(kept, n)
			continue
		}
		p.displace(n.id)
		c.ledger.at(n.tag).pending--
	}
	c.pins = kept
}

// gap tells a gateway, or all, that events of the shard were lost. The tags
// must be pending; they are acked once it is told.
func (c *Core) gap(p *peer, tags []uint64) {
	c.publish(flightGap, p, tags, c.toGateway(p.id, protocol.TypeGap,
		protocol.Encode(protocol.Gap{Shard: c.o.Shard})))
}

func (c *Core) landGap(f flight, err error) {
	if err == nil || errors.Is(err, amqpbus.ErrUnroutable) {
		c.settle(f.tags) // without a queue it finds the loss by itself (R6)
		return
	}
	f.peer.sequence++ // a number that never arrives is a gap too
	c.fail(f.peer, f.tags)
}
