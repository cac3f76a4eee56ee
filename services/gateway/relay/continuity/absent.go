package continuity

import (
	"maps"
	"slices"
	"strings"
	"time"

	"belfry/pkg/protocol"
)

// absent is the events that came in refused batches and were not delivered. As
// a rule a later reign brings them, or has brought them: they were not acked.
// But a worker whose clock is behind may have acked them, because its fence
// opened while this gateway had not answered, and be gone before it hears that
// it was refused. So what nobody brings is a gap.
type absent struct {
	since  time.Duration           // of the first
	events map[name]protocol.Group // those with an id, by which they are met again
	groups map[protocol.Group]bool // of those without
	many   bool                    // too many to remember: the whole shard
}

// maxAbsent bounds the events, and the groups, that are remembered as absent, a shard.
const maxAbsent = 4096

// miss notes the events of a refused batch that were not delivered.
func (c *Core) miss(s *shard, events []protocol.Event) {
	a := &s.absent
	for i := range events {
		e := &events[i]
		if a.many || e.ID != "" && c.memory.knows(e) {
			continue
		}
		if a.events == nil {
			*a = absent{since: c.clock, events: map[name]protocol.Group{}, groups: map[protocol.Group]bool{}}
		}
		group := protocol.Group(strings.Clone(string(e.Group)))
		if e.ID != "" {
			a.events[c.memory.name(e)] = group
		} else {
			a.groups[group] = true
		}
		a.many = len(a.events) > maxAbsent || len(a.groups) > maxAbsent
	}
}

// meet forgets the absent events that are here now.
func (c *Core) meet(s *shard, events []protocol.Event) {
	if len(s.absent.events) == 0 {
		return
	}
	for i := range events {
		if e := &events[i]; e.ID != "" {
			delete(s.absent.events, c.memory.name(e))
		}
	}
}

// concludeAbsent declares a gap for what nobody has brought.
func (c *Core) concludeAbsent(i int) {
	a := c.shards[i].absent
	if a.events == nil || c.clock-a.since < c.o.Absent {
		return
	}
	c.shards[i].absent = absent{}
	if a.many {
		c.declare(i, CauseStale)
		return
	}
	for _, group := range a.events {
		a.groups[group] = true
	}
	if len(a.groups) > 0 {
		c.stats.Gaps[CauseStale]++
		c.shards[i].gapped, c.shards[i].gapAt = true, c.clock
		c.effects = append(c.effects, Effect{Kind: EffectGap, Shard: i, Groups: slices.Sorted(maps.Keys(a.groups))})
	}
}
