package continuity

import "belfry/pkg/protocol"

// EffectKind is what an Effect wants done.
type EffectKind uint8

// The effects.
const (
	EffectDeliver  EffectKind = iota + 1 // Events, to the groups' members
	EffectGap                            // Groups may have lost events
	EffectGapShard                       // all groups of Shard may have
	EffectCloseAll                       // close all connections with 1013, spread
	EffectStale                          // publish Stale to the worker that it refuses
	EffectSnapshot                       // send a snapshot of Reign's shard to its worker
)

// Effect is something that a Core wants done. Effects are done in order.
type Effect struct {
	Kind   EffectKind
	Shard  int
	Events []protocol.Event
	Groups []protocol.Group
	Stale  protocol.Stale
	Reign  protocol.Reign
}

// Effects returns what is to be done, and forgets it. The slice is valid until
// the next but one call.
func (c *Core) Effects() []Effect {
	out := c.effects
	clear(c.used)
	c.effects, c.used = c.used[:0], out
	return out
}

// Cause is why a gap was declared, the value of a metric's label.
type Cause uint8

// The causes.
const (
	CauseHole     Cause = iota // a number is missing
	CauseLink                  // the consuming link or the queue was lost
	CauseStale                 // a worker was refused, and came back with a higher reign, or nobody brought what was refused
	CauseSilence               // nothing was heard for half the expiry of emits
	CauseTold                  // a worker said so
	CauseEarly                 // the route has been lost for long
	CauseLate                  // what a gap stood for may come after what followed it
	CauseUnserved              // a reign routed without having this gateway in its directory
)

const causes = 8

// Causes lists all causes.
var Causes = [causes]Cause{CauseHole, CauseLink, CauseStale, CauseSilence, CauseTold, CauseEarly, CauseLate, CauseUnserved}

func (c Cause) String() string {
	return [causes]string{"hole", "link", "stale", "silence", "told", "early", "late", "unserved"}[c]
}
