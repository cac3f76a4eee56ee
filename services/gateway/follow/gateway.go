package follow

import (
	"slices"
	"time"

	"belfry/pkg/eventlog"
	"belfry/pkg/protocol"
)

// Gateway is the machine: the logs of an installation and the connections that
// watch their groups.
type Gateway struct {
	o       Options
	logs    []*log
	conns   map[ConnID]*conn
	asking  []ConnID // in the order in which they asked
	fills   map[uint64]filling
	lastID  uint64
	effects []Effect
}

// New makes the machine of a gateway without connections.
func New(o Options) *Gateway {
	g := &Gateway{o: o.complete(), conns: map[ConnID]*conn{}, fills: map[uint64]filling{}}
	for i := range g.o.logs() {
		g.logs = append(g.logs, newLog(i, g.o, g.add))
	}
	return g
}

func (g *Gateway) add(e Effect) { g.effects = append(g.effects, e) }

// Effects returns what is to be done since the last call, in order.
func (g *Gateway) Effects() []Effect {
	all := g.effects
	g.effects = nil
	return all
}

// Start asks who leads.
func (g *Gateway) Start() {
	for _, l := range g.logs {
		g.add(SendAll{Message: l.whoLeads()})
	}
}

// Take takes a worker's message: a Claim, Batch, Reset, Need or Filled by value of
// the package eventlog. A message for another gateway or of an unknown log changes
// nothing. The caller has checked that a worker sent it.
func (g *Gateway) Take(message any) {
	switch m := message.(type) {
	case eventlog.Claim:
		if l := g.log(m.Log); l != nil {
			l.claim(m.Leader)
		}
	case eventlog.Batch:
		if l := g.log(m.Log); l != nil && m.Gateway == g.o.Gateway {
			g.batch(l, &m)
		}
	case eventlog.Reset:
		if l := g.log(m.Log); l != nil && m.Gateway == g.o.Gateway {
			l.reset(&m)
		}
	case eventlog.Need:
		if l := g.log(m.Log); l != nil && m.Gateway == g.o.Gateway && m.Feed == l.feed {
			l.sendSnapshot()
		}
	case eventlog.Filled:
		if l := g.log(m.Log); l != nil && m.Gateway == g.o.Gateway {
			g.filled(l, &m)
		}
	}
}

func (g *Gateway) log(number int) *log {
	if number < 0 || number >= len(g.logs) {
		return nil
	}
	return g.logs[number]
}

func (g *Gateway) batch(l *log, b *eventlog.Batch) {
	before := l.state()
	if !l.batch(b) {
		return
	}
	if l.owesGap {
		l.owesGap = false
		g.tellGap(l)
	}
	l.deliver(b)
	if l.lag > g.o.MaxLag {
		l.startOver()
		return
	}
	changed := l.state() != before
	for _, id := range slices.Clone(g.asking) {
		if c := g.conns[id]; changed || len(c.prove) > 0 { // or it waits for the log to come to its cursor
			g.tryAnswer(c)
		}
	}
}

// Confirmed says that the last part of a feed's hello has reached the broker.
func (g *Gateway) Confirmed(log int, feed uint64) {
	if l := g.log(log); l != nil && feed == l.feed && !l.leader.IsNone() {
		if !l.asked {
			l.quiet = 0
		}
		l.asked = true
	}
}

// ReplyQueueReplaced says that messages to this gateway were lost with its queue.
func (g *Gateway) ReplyQueueReplaced() {
	for _, l := range g.logs {
		l.begin(true)
	}
}

// Tick lets time pass: at most a second, because a clock that jumps says nothing.
// While the broker blocks publishers the caller does not call it.
func (g *Gateway) Tick(d time.Duration) {
	d = min(d, mostOfOneTick)
	for _, l := range g.logs {
		l.tick(d)
	}
	g.tickConns(d)
}

// Covered is what a client that has all events up to now may resume with.
func (g *Gateway) Covered(log int) eventlog.ClientCursor {
	l := g.logs[log]
	return eventlog.ClientCursor{Shards: g.o.Shards, Log: log, Index: eventlog.LastIndex, Cursor: l.covered}
}

// logsOf are the logs in which a group's events may stand: its shard's, and with
// several shards the one of events that came without a shard.
func (g *Gateway) logsOf(group protocol.Group) []*log {
	own := g.logs[protocol.ShardOf(group, g.o.Shards)]
	if g.o.Shards == 1 {
		return []*log{own}
	}
	return []*log{own, g.logs[g.o.Shards]}
}

func (l *log) alive() eventlog.Life {
	return eventlog.Life{Log: l.number, Gateway: l.o.Gateway, Feed: l.feed, Covered: l.covered, Prove: l.prove}
}

func (l *log) whoLeads() eventlog.Who { return eventlog.Who{Log: l.number, Gateway: l.o.Gateway} }
