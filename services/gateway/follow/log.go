package follow

import (
	"slices"
	"time"

	"belfry/pkg/eventlog"
	"belfry/pkg/protocol"
)

// log is what a gateway knows of one log.
type log struct {
	o      Options
	number int
	emit   func(Effect)

	leader  eventlog.Leader
	feed    uint64
	covered eventlog.Cursor // what was delivered; none until a batch says where
	rev     uint64          // of the present interest
	applied uint64          // the highest revision that a taken batch had; at most rev
	owesGap bool            // events may be missing; told when it covers again
	lag     int64
	prove   uint64 // the last question where the end of the log is
	proved  uint64 // the last one that was answered
	end     int64  // offset of a mark that was written after that one was asked

	groups    map[protocol.Group]*interest
	joining   map[protocol.Group]*interest // those of groups that are not active yet
	lingering map[protocol.Group]*interest // those of groups without members
	left      map[protocol.Group]uint64    // revision of leaving, until it is applied
	catching  map[ConnID]bool
	window    window

	serial    uint64 // of snapshots
	quiet     time.Duration
	noRoute   time.Duration // as quiet, but a hello does not end it
	patience  time.Duration
	asked     bool // hello was confirmed and no batch has come
	life      time.Duration
	who       time.Duration
	throttled map[string]time.Duration // what was done because of a batch, and how long ago
}

// interest is a group that the gateway has, or wants.
type interest struct {
	changed uint64 // revision of the join
	active  bool
	since   int64 // offset that was covered when it became active
	members int
	alone   time.Duration // without members
}

// begins is the place behind which the gateway has every event of the group.
func (i *interest) begins() eventlog.Position { return eventlog.Cursor{Offset: i.since}.End() }

func newLog(number int, o Options, emit func(Effect)) *log {
	return &log{
		o: o, number: number, emit: emit, covered: eventlog.NoCursor, patience: firstPatience,
		groups: map[protocol.Group]*interest{}, joining: map[protocol.Group]*interest{},
		lingering: map[protocol.Group]*interest{}, left: map[protocol.Group]uint64{}, catching: map[ConnID]bool{},
		window: newWindow(o), throttled: map[string]time.Duration{},
	}
}

// begin starts a feed: whatever an earlier one sent is dropped from now on.
func (l *log) begin(withSnapshot bool) {
	l.feed++
	l.asked = false
	if l.leader.IsNone() {
		return
	}
	l.send(eventlog.Hello{Log: l.number, Gateway: l.o.Gateway, Feed: l.feed, Covered: l.covered})
	if withSnapshot {
		l.sendSnapshot()
	}
}

func (l *log) send(message any) {
	if !l.leader.IsNone() {
		l.emit(Send{Worker: l.leader.Worker, Message: message})
	}
}

// claim is a worker that says it leads.
func (l *log) claim(c eventlog.Leader) {
	if !l.leader.IsNone() && c.Less(l.leader) {
		l.emit(Send{Worker: c.Worker, Message: eventlog.Stale{Log: l.number, Gateway: l.o.Gateway, Leader: l.leader}})
		return
	}
	if c != l.leader {
		l.patience = firstPatience
	}
	l.leader = c
	l.quiet = 0
	l.begin(true)
}

// reset: nothing goes on from where the feed stood. Where that is not what is covered here,
// batches were lost on the way: another feed begins behind what is covered.
func (l *log) reset(r *eventlog.Reset) {
	switch {
	case r.Feed != l.feed: // of a leader or a place that was left
	case r.At != l.covered:
		l.begin(false)
	default:
		l.startOver()
	}
}

// startOver goes on at the end of the log; what lies between is a gap, which is
// told when the log is covered again, because only then a reload is complete.
func (l *log) startOver() {
	l.covered, l.owesGap, l.lag = eventlog.NoCursor, true, 0
	l.window.clear()
	l.begin(false)
}

// batch takes a batch, or says why not by doing nothing. It reports whether it was taken.
func (l *log) batch(b *eventlog.Batch) bool {
	switch {
	case b.Feed != l.feed: // of a leader or a place that was left
		return false
	case b.Rev < l.applied: // its interest is older than what is active
		l.onceInAWhile("snapshot", l.sendSnapshot)
		return false
	}
	if l.covered.IsNone() {
		l.covered = b.From
		l.window.startAt(b.From)
		for _, g := range l.groups {
			if g.active {
				g.since = l.covered.Offset
			}
		}
	}
	if b.From.Offset > l.covered.Offset { // a batch between is missing
		l.onceInAWhile("hello", func() { l.begin(false) })
		return false
	}
	l.quiet, l.noRoute, l.asked, l.patience = 0, 0, false, firstPatience
	l.applied = max(l.applied, min(b.Rev, l.rev))
	l.lag = b.End - b.To.Offset
	if b.Proved > l.proved && b.Proved <= l.prove {
		l.proved, l.end = b.Proved, b.ProvedAt
	}
	for name, g := range l.joining {
		if g.changed <= l.applied {
			g.active, g.since = true, l.covered.Offset
			delete(l.joining, name)
		}
	}
	for g, rev := range l.left {
		if rev <= l.applied {
			delete(l.left, g)
		}
	}
	return true
}

// deliver hands on what a batch that was taken holds behind the covered cursor.
func (l *log) deliver(b *eventlog.Batch) {
	for i := range b.Events {
		e := &b.Events[i]
		if e.Offset <= l.covered.Offset {
			continue
		}
		l.window.add(e)
		if g := l.groups[e.Group]; g != nil && g.active {
			l.emit(Deliver{Log: l.number, Event: e})
		}
	}
	if b.To.Offset > l.covered.Offset {
		l.covered = b.To
	}
	if b.Rev < l.rev {
		l.onceInAWhile("change", l.sendChange)
	}
}

// covers reports whether there is a place in the log at which clients are. A log that
// owes a gap has none: it is told with the first batch that covers again.
func (l *log) covers() bool { return !l.covered.IsNone() }

// ready reports whether a client may be told that the groups are active here.
func (l *log) ready() bool { return l.covers() && l.lag <= l.o.LookBack }

// answerable is what a log must do with an answer, beside how far it is covered.
type answerable struct {
	covers, ready   bool
	applied, proved uint64
}

func (l *log) state() answerable { return answerable{l.covers(), l.ready(), l.applied, l.proved} }

func (l *log) active(g protocol.Group) bool {
	i := l.groups[g]
	return i != nil && i.active
}

func (l *log) join(g protocol.Group) {
	i := l.groups[g]
	if i == nil {
		l.rev++
		i = &interest{changed: l.rev}
		l.groups[g], l.joining[g] = i, i
		delete(l.left, g)
		defer l.sendChange()
	}
	i.members++
	delete(l.lingering, g)
}

// leave takes one member away. The group itself is left when it has lingered.
func (l *log) leave(g protocol.Group) {
	i := l.groups[g]
	if i.members--; i.members == 0 {
		i.alone = 0
		l.lingering[g] = i
	}
}

func (l *log) drop(g protocol.Group) {
	delete(l.groups, g)
	delete(l.joining, g)
	delete(l.lingering, g)
	l.rev++
	l.left[g] = l.rev
}

func (l *log) sendChange() {
	c := eventlog.Change{Log: l.number, Gateway: l.o.Gateway, Base: l.applied, Rev: l.rev}
	for g := range l.joining {
		c.Joined = append(c.Joined, eventlog.TagOf(g))
	}
	for g := range l.left {
		c.Left = append(c.Left, eventlog.TagOf(g))
	}
	slices.Sort(c.Joined)
	slices.Sort(c.Left)
	l.send(c)
}

func (l *log) sendSnapshot() {
	tags := make([]eventlog.Tag, 0, len(l.groups))
	for g := range l.groups {
		tags = append(tags, eventlog.TagOf(g))
	}
	slices.Sort(tags)
	l.serial++
	parts := max(1, (len(tags)+l.o.SnapshotPart-1)/l.o.SnapshotPart)
	for part := range parts {
		from := part * l.o.SnapshotPart
		l.send(eventlog.Snapshot{
			Log: l.number, Gateway: l.o.Gateway, Rev: l.rev, Serial: l.serial, Part: part, Parts: parts,
			Tags: tags[from:min(from+l.o.SnapshotPart, len(tags))],
		})
	}
}

// onceInAWhile bounds what each of many batches would cause.
func (l *log) onceInAWhile(what string, do func()) {
	if ago, done := l.throttled[what]; done && ago < atMostOnceIn {
		return
	}
	l.throttled[what] = 0
	do()
}
