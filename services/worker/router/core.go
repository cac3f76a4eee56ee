package router

import (
	"runtime/debug"
	"slices"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/trust"
	"belfry/pkg/protocol"
	"belfry/services/worker/internal/directory"
)

// Timing holds the periods of the rules. Zero fields get the defaults.
type Timing struct {
	Heartbeat time.Duration // of gateways, 5 s
	Grace     time.Duration // from a reign's start to its mark, two heartbeats
	Fence     time.Duration // how long acks wait for a gateway to accept a reign, 1 s
	Confirm   time.Duration // after which a publish counts as refused, 10 s
	Pulse     time.Duration // between pulses, 2 s
	Probe     time.Duration // between probes of a lagging gateway, 250 ms
}

func (t Timing) withDefaults() Timing {
	or := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	or(&t.Heartbeat, 5*time.Second)
	or(&t.Grace, 2*t.Heartbeat)
	or(&t.Fence, time.Second)
	or(&t.Confirm, 10*time.Second)
	or(&t.Pulse, 2*time.Second)
	or(&t.Probe, 250*time.Millisecond)
	return t
}

// Users says whose messages are believed: broker users of gateways and workers.
type Users struct{ Gateways, Workers *trust.Users }

// mayEmit reports whether a message came to a queue of emits as an emit does: through
// one of the exchanges that backends publish to, and not by a gateway. A gateway's
// credential may write to the queues that it declares, and bind them to what it likes,
// so the queue alone says nothing.
func (u Users) mayEmit(d *amqpbus.Delivery, exchanges ...string) bool {
	return slices.Contains(exchanges, d.Exchange) && (!u.Gateways.Has(d.UserID) || u.Workers.Has(d.UserID))
}

// CoreOptions configures a Core.
type CoreOptions struct {
	Worker protocol.WorkerID
	Shards int
	Shard  int
	Users  Users
	Timing Timing
	Trace  Trace // nil: nothing is traced
	// Panicked is told of a message on which the rules failed, and that was
	// parked for it; nil: nobody wants to know.
	Panicked func(cause any, stack []byte)
}

// maxStep bounds how far one Tick moves worker time: a process that was frozen
// has heard nobody, and must not judge them by it.
const maxStep = time.Second

// Core is the rules of one shard. It is not safe for concurrent use. Call Tick
// before the first Deliver and about ten times a second; after every input,
// take Effects and do them in order.
type Core struct {
	o       CoreOptions
	wall    time.Time     // of the last Tick
	clock   time.Duration // worker time
	blocked bool
	full    bool // the shard's queue refused at fullAt: nobody is judged by silence
	fullAt  time.Duration

	highest  uint64 // epoch, seen anywhere
	reign    protocol.Reign
	reigning bool
	accepted bool // acks are open (R2)
	flooding bool
	began    time.Duration
	marked   time.Duration // when the mark was published; 0: it is not
	pulsed   time.Duration
	draining bool

	table   *directory.Table[*peer]
	peers   map[protocol.GatewayID]*peer
	order   []*peer // peers as they came
	all     *peer
	ledger  line[entry]
	flights line[flight]
	pins    []pin
	spare   [][]uint64 // tag slices to use again
	scratch []protocol.Event
	effects []Effect
	used    []Effect
	stats   Stats
}

// entry is a delivery that is not acked.
type entry struct {
	delivery amqpbus.Delivery
	group    protocol.Group
	pending  int
	trace    string // the traceparent that travels on, or empty
	routed   func() // ends the emit's span; nil: it has none
}

// Stats counts since the core was made.
type Stats struct {
	Emits    uint64 // routed, also to nobody
	Batches  uint64
	Epochs   uint64 // reigns begun
	Stale    uint64 // reigns given up or raised because a gateway knew a higher one
	Lagged   uint64 // times that a gateway became lagging
	Lost     uint64 // gateways declared dead
	Ignored  uint64 // control messages of lower links, other reigns
	Flooding bool
	Gateways int
	Unsynced int
	Lagging  int
	Groups   int
	Unacked  int
}

// NewCore returns the rules of a shard, before its first delivery.
func NewCore(o CoreOptions) *Core {
	o.Timing = o.Timing.withDefaults()
	c := &Core{o: o, table: directory.New[*peer]()}
	c.forget()
	c.flights.reset(1)
	return c
}

// Tick moves time. now also gives epochs, so it should be the wall clock.
func (c *Core) Tick(now time.Time) {
	step := now.Sub(c.wall)
	first := c.wall.IsZero()
	c.wall = now
	if first || c.blocked || step <= 0 {
		return
	}
	c.clock += min(step, maxStep)
	if !c.reigning {
		return
	}
	c.timeOut()
	c.openFence()
	c.keepMark()
	c.keepPulse()
	c.keepAsking()
	c.keepPins()
	c.bury()
	c.advance()
}

// Blocked says that the broker blocks, or no longer blocks, the publishing
// link: clocks stand still (R11).
func (c *Core) Blocked(blocked bool) { c.blocked = blocked }

// Seen notes an epoch of this shard that was seen elsewhere.
func (c *Core) Seen(epoch uint64) { c.highest = max(c.highest, epoch) }

// LinkLost says that the consumer or the publisher ended: the reign is over,
// and what was not acked will be delivered again.
func (c *Core) LinkLost() {
	c.highest = max(c.highest, c.reign.Epoch)
	c.reigning, c.draining, c.full = false, false, false
	c.ledger.reset(0)
	c.forget()
	c.effects = c.effects[:0]
}

// Drain says that nothing more will be delivered: Idle will come true once all
// publishes are confirmed.
func (c *Core) Drain() {
	c.draining = true
	if c.reigning {
		c.keepPins()
		c.advance()
	}
}

// Idle reports that every delivery is acked.
func (c *Core) Idle() bool { return c.ledger.count == 0 }

// Reign returns the reign, when there is one.
func (c *Core) Reign() (protocol.Reign, bool) { return c.reign, c.reigning }

// Flooding reports that the reign's mark has not come through yet.
func (c *Core) Flooding() bool { return c.reigning && c.flooding }

// Stats returns the counters and the state now.
func (c *Core) Stats() Stats {
	s := c.stats
	s.Flooding = c.Flooding()
	s.Gateways, s.Unsynced = len(c.table.Gateways()), len(c.table.Unsynced())
	s.Groups, s.Unacked = c.table.Groups(), c.ledger.count
	for _, p := range c.order {
		if p.lagging {
			s.Lagging++
		}
	}
	return s
}

// Deliver takes deliveries of the shard's queue, in order. The first one on a
// consumer begins a reign.
func (c *Core) Deliver(deliveries []amqpbus.Delivery) {
	if len(deliveries) == 0 {
		return
	}
	if !c.reigning {
		c.ledger.reset(deliveries[0].Tag)
		c.begin()
	}
	for i := range deliveries {
		tag, e := c.ledger.push()
		e.delivery = deliveries[i]
		c.take(tag)
	}
	c.pumpAll()
	c.advance()
}

// take works on one entry of the ledger. One on which it panics is parked (R9):
// it would kill worker after worker.
func (c *Core) take(tag uint64) {
	defer func() {
		if cause := recover(); cause != nil {
			if c.o.Panicked != nil {
				c.o.Panicked(cause, debug.Stack())
			}
			c.park(tag, ReasonPanic)
		}
	}()
	e := c.ledger.at(tag)
	switch {
	case e.delivery.Exchange == amqpbus.InterestExchange(c.o.Shards):
		c.control(tag, &e.delivery)
	case !c.o.Users.mayEmit(&e.delivery, amqpbus.ExchangeEmit, amqpbus.EmitShards(c.o.Shards)):
		c.park(tag, ReasonForgedEmit)
	default:
		c.emit(tag, e)
	}
}

// advance acks through the settled front of the ledger, once the fence is open.
func (c *Core) advance() {
	if !c.reigning || !c.accepted {
		return
	}
	var last uint64
	for e := c.ledger.front(); e != nil && e.pending == 0; e = c.ledger.front() {
		last = c.ledger.first
		if e.routed != nil {
			e.routed()
		}
		c.ledger.pop()
	}
	if last > 0 {
		c.effects = append(c.effects, Effect{Kind: EffectAck, Tag: last})
	}
}
