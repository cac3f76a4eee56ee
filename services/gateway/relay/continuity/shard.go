package continuity

import (
	"errors"
	"fmt"
	"time"

	"belfry/pkg/protocol"
)

// shard is what is known of one shard.
type shard struct {
	known  bool // a reign was accepted
	reign  protocol.Reign
	served bool // its worker's directory has, or had, this gateway
	routed bool // its flood has ended: what it routes reaches members alone
	direct counter
	flood  counter
	past   past
	stale  map[protocol.WorkerID]time.Duration // refused, and when told last
	absent absent                              // events of refused batches

	heard  time.Duration // when something of the accepted reign came
	broken bool          // the link ended since the last number was checked

	lost   bool // the route, at lostAt
	lostAt time.Duration
	early  bool // declared although the route is lost
	closed bool // everybody was to be closed for it
	owed   bool // a gap is to be declared when the route is back
	cause  Cause
	gapped bool // a gap was declared, last at gapAt; what it stands for may yet come
	gapAt  time.Duration
}

// counter is a sequence of which the last number may not be known yet.
type counter struct {
	last  uint64
	known bool
}

// past is the reign before, to tell what is delivered again from what is stale.
type past struct {
	reign         protocol.Reign
	direct, flood uint64
}

// owe notes a gap. The first cause stands.
func (s *shard) owe(cause Cause) {
	if !s.owed {
		s.owed, s.cause = true, cause
	}
}

// ErrShard says that a message names a shard that this installation does not have, so
// its sender is configured with another number of them.
var ErrShard = errors.New("the shard does not exist here")

func (c *Core) shard(i int) (*shard, error) {
	if i < 0 || i >= len(c.shards) {
		return nil, fmt.Errorf("shard %d of %d: %w", i, len(c.shards), ErrShard)
	}
	return &c.shards[i], nil
}

// Batch takes a batch of events. Those that are to be delivered come as an
// effect; their memory is the batch's, whose list of events is taken over.
func (c *Core) Batch(b protocol.Batch) error {
	s, err := c.shard(b.Shard)
	if err != nil {
		return err
	}
	if s.past.holds(b) {
		c.stats.Repeated++
		return nil
	}
	if !c.accept(s, b.Reign, false) {
		c.miss(s, b.Events)
		return nil
	}
	n := &s.direct
	if b.Mode == protocol.ModeFlood {
		n = &s.flood
	}
	if !s.number(n, b.Sequence) {
		c.stats.Repeated++ // it proves nothing: the broker delivers it again
		return nil
	}
	s.served = s.served || b.Mode == protocol.ModeDirect
	c.active(s, b.Shard)
	c.stats.Batches++
	c.meet(s, b.Events)
	if events := c.unseen(b.Events); len(events) > 0 {
		c.stats.Events += uint64(len(events))
		c.effects = append(c.effects, Effect{Kind: EffectDeliver, Shard: b.Shard, Events: events})
	}
	return nil
}

// Pulse takes the numbers that must have arrived.
func (c *Core) Pulse(p protocol.Pulse) error {
	s, err := c.shard(p.Shard)
	if err != nil {
		return err
	}
	if !c.accept(s, p.Reign, false) {
		return nil
	}
	s.routed = s.routed || !p.Flooding
	s.tail(&s.flood, p.Flood)
	if !p.All {
		s.served = s.served || p.Member
		s.tail(&s.direct, p.Direct)
	}
	whole := !p.All && p.Direct == s.direct.last && p.Flood == s.flood.last
	if whole || !s.broken {
		c.active(s, p.Shard)
	}
	return nil
}

// Ask takes the question for a snapshot, with which a reign begins.
func (c *Core) Ask(a protocol.Ask) error {
	s, err := c.shard(a.Shard)
	if err != nil {
		return err
	}
	began := !s.known || s.reign.Before(a.Reign)
	if !c.accept(s, a.Reign, true) {
		return nil
	}
	if began || !s.broken {
		c.active(s, a.Shard)
	}
	c.effects = append(c.effects, Effect{Kind: EffectSnapshot, Shard: a.Shard, Reign: a.Reign})
	return nil
}

// Gap takes a worker's word that events were lost: of groups, or of a shard.
// Every worker may say so, whatever its reign.
func (c *Core) Gap(g protocol.Gap) error {
	if len(g.Groups) > 0 {
		c.stats.Gaps[CauseTold]++
		c.effects = append(c.effects, Effect{Kind: EffectGap, Shard: g.Shard, Groups: g.Groups})
		return nil
	}
	if _, err := c.shard(g.Shard); err != nil {
		return err
	}
	c.declare(g.Shard, CauseTold)
	return nil
}

// number checks a batch's number and reports that it was not seen before.
func (s *shard) number(n *counter, sequence uint64) (fresh bool) {
	switch {
	case !n.known:
		s.unproven()
	case sequence <= n.last:
		return false
	case sequence > n.last+1:
		s.owe(CauseHole)
	}
	n.last, n.known = sequence, true
	return true
}

// tail checks a pulse's number: what it names must have arrived before it.
func (s *shard) tail(n *counter, sequence uint64) {
	switch {
	case !n.known:
		s.unproven()
	case sequence <= n.last:
		return
	default:
		s.owe(CauseHole)
	}
	n.last, n.known = sequence, true
}

// unproven is a first number: after a lost link it proves nothing.
func (s *shard) unproven() {
	if s.broken {
		s.owe(CauseLink)
	}
}

// active is something of the accepted reign that shows where its numbers are:
// the route is there, and what is owed is declared.
func (c *Core) active(s *shard, i int) {
	s.lost, s.broken = false, false
	if s.owed {
		s.owed = false
		c.declare(i, s.cause)
	}
}

// declare tells a whole shard's groups that they may have missed something.
func (c *Core) declare(i int, cause Cause) {
	c.stats.Gaps[cause]++
	s := &c.shards[i]
	s.absent = absent{}
	if cause != CauseLate {
		s.gapped, s.gapAt = true, c.clock
	}
	c.effects = append(c.effects, Effect{Kind: EffectGapShard, Shard: i})
}
