package continuity

import (
	"time"

	"belfry/pkg/protocol"
)

// Options configures a Core. Zero fields get the defaults.
type Options struct {
	Gateway protocol.GatewayID
	Shards  int

	Silence    time.Duration // without a word of a shard until its route is lost, 30 s
	Early      time.Duration // from the loss of a route to an early gap, 5 s
	CloseAfter time.Duration // from the loss of a route to closing everybody, 30 s
	StaleEvery time.Duration // between stale answers to one worker about one shard, 1 s
	Absent     time.Duration // until a refused event that no later reign brings is a gap, 10 s

	Remember      time.Duration // how long events are remembered at least, 60 s
	RememberCount int           // how many are remembered at least, 1,200 a shard (4 prefetches)
	RememberBytes int64         // bound of the memory, 32 MiB
}

func (o Options) withDefaults() Options {
	or := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	or(&o.Silence, 30*time.Second)
	or(&o.Early, 5*time.Second)
	or(&o.CloseAfter, 30*time.Second)
	or(&o.StaleEvery, time.Second)
	or(&o.Absent, 10*time.Second)
	or(&o.Remember, 60*time.Second)
	o.Shards = max(o.Shards, 1)
	if o.RememberCount == 0 {
		o.RememberCount = 1200 * o.Shards
	}
	if o.RememberBytes == 0 {
		o.RememberBytes = 32 << 20
	}
	return o
}

// maxStep bounds how far one Tick moves the clock.
const maxStep = time.Second

// Core is the continuity of all shards as one gateway sees it.
type Core struct {
	o       Options
	wall    time.Time // of the last Tick
	clock   time.Duration
	blocked bool
	begun   bool // the consumer was open once
	up      bool

	shards []shard
	memory *memory

	closed  bool // CloseAll was asked for, at closedAt
	closeAt time.Duration
	effects []Effect
	used    []Effect
	stats   Stats
}

// New returns a Core before its consumer's first opening.
func New(o Options) *Core {
	o = o.withDefaults()
	c := &Core{o: o, shards: make([]shard, o.Shards), memory: newMemory(o)}
	for i := range c.shards {
		c.shards[i].stale = map[protocol.WorkerID]time.Duration{}
	}
	return c
}

// Tick moves time. It is called before the first input and a few times a second.
func (c *Core) Tick(now time.Time) {
	step := now.Sub(c.wall)
	first := c.wall.IsZero()
	c.wall = now
	if first || c.blocked || step <= 0 {
		return
	}
	c.clock += min(step, maxStep)
	c.memory.age(c.clock)
	if !c.begun {
		return
	}
	for i := range c.shards {
		c.watch(i)
	}
}

// Blocked says that the broker blocks, or no longer blocks, publishing: the
// workers cannot pulse either, so the clock stands still.
func (c *Core) Blocked(blocked bool) { c.blocked = blocked }

// LinkUp says that the reply queue is consumed. resumed is false when the queue
// was not there and had to be declared: what was in it is lost.
func (c *Core) LinkUp(resumed bool) {
	for i := range c.shards {
		s := &c.shards[i]
		switch {
		case !c.begun:
			s.heard = c.clock
		case !resumed:
			s.owe(CauseLink)
		}
	}
	c.begun, c.up = true, true
}

// LinkLost says that the consumer has ended, for whatever reason.
func (c *Core) LinkLost() {
	if !c.up {
		return
	}
	c.up = false
	for i := range c.shards {
		c.shards[i].broken = true
		c.lose(&c.shards[i])
	}
}

// watch acts on time passing for one shard.
func (c *Core) watch(i int) {
	s := &c.shards[i]
	c.concludeAbsent(i)
	if !s.lost {
		if c.clock-s.heard < c.o.Silence {
			return
		}
		c.lose(s)
		s.owe(CauseSilence)
	}
	gone := c.clock - s.lostAt
	if gone >= c.o.Early && !s.early {
		s.early = true
		c.declare(i, CauseEarly)
	}
	if gone >= c.o.CloseAfter && !s.closed {
		s.closed = true
		c.closeAll()
	}
}

// closeAll asks for the end of all connections, once for all shards that lose
// their route together.
func (c *Core) closeAll() {
	if c.closed && c.clock-c.closeAt < c.o.CloseAfter {
		return
	}
	c.closed, c.closeAt = true, c.clock
	c.effects = append(c.effects, Effect{Kind: EffectCloseAll})
}

func (c *Core) lose(s *shard) {
	if !s.lost {
		s.lost, s.lostAt, s.early, s.closed = true, c.clock, false, false
	}
}

// LostRoutes counts the shards whose route has been lost for long enough that
// clients were told.
func (c *Core) LostRoutes() int {
	n := 0
	for i := range c.shards {
		if c.shards[i].lost && c.shards[i].early {
			n++
		}
	}
	return n
}

// Reign is the highest accepted reign of a shard, when there is one.
func (c *Core) Reign(shard int) (protocol.Reign, bool) {
	return c.shards[shard].reign, c.shards[shard].known
}

// Stats counts since the Core was made.
type Stats struct {
	Batches    uint64 // accepted
	Events     uint64 // delivered
	Stale      uint64 // messages dropped at the fence
	Repeated   uint64 // batches dropped because their number was seen
	Duplicates uint64 // events dropped because they were delivered before
	OtherBody  uint64 // events with the id of another one, delivered
	Forgotten  uint64 // remembered events given up too early, for want of room
	Remembered int    // events remembered now
	Gaps       [causes]uint64
}

// Stats returns the counters.
func (c *Core) Stats() Stats {
	s := c.stats
	s.Forgotten, s.Remembered = c.memory.forgotten, c.memory.len()
	return s
}
