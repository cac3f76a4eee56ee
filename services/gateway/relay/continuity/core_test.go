package continuity

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"belfry/pkg/protocol"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// story drives a Core of two shards and tells in words what it wants done.
type story struct {
	t   *testing.T
	c   *Core
	now time.Time
}

func begin(t *testing.T) *story {
	s := &story{t, New(Options{Gateway: "g.1", Shards: 2}), start}
	s.c.Tick(s.now)
	s.c.LinkUp(false)
	return s
}

func reign(epoch uint64, worker protocol.WorkerID) protocol.Reign {
	return protocol.Reign{Epoch: epoch, Worker: worker}
}

func (s *story) batch(r protocol.Reign, mode protocol.Mode, sequence uint64, ids ...string) {
	s.t.Helper()
	b := protocol.Batch{Reign: r, Mode: mode, Sequence: sequence}
	for _, id := range ids {
		b.Events = append(b.Events, protocol.Event{Group: "jobs-a", ID: id, Payload: []byte("body of " + id)})
	}
	s.must(s.c.Batch(b))
}

func (s *story) direct(r protocol.Reign, sequence uint64, ids ...string) {
	s.t.Helper()
	s.batch(r, protocol.ModeDirect, sequence, ids...)
}

func (s *story) flood(r protocol.Reign, sequence uint64, ids ...string) {
	s.t.Helper()
	s.batch(r, protocol.ModeFlood, sequence, ids...)
}

func (s *story) pulse(r protocol.Reign, direct, flood uint64) {
	s.t.Helper()
	s.must(s.c.Pulse(protocol.Pulse{Reign: r, Direct: direct, Flood: flood, Member: true}))
}

func (s *story) ask(r protocol.Reign) {
	s.t.Helper()
	s.must(s.c.Ask(protocol.Ask{Reign: r}))
}

// serve is a reign's question, and the pulse that shows that its answer came.
func (s *story) serve(r protocol.Reign) {
	s.t.Helper()
	s.ask(r)
	s.pulse(r, 0, 0)
}

func (s *story) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// pass lets time go by in small ticks.
func (s *story) pass(d time.Duration) {
	for end := s.now.Add(d); s.now.Before(end); {
		s.now = s.now.Add(250 * time.Millisecond)
		s.c.Tick(s.now)
	}
}

// wait lets time go by in which all shards are heard.
func (s *story) wait(r protocol.Reign, direct, flood uint64, d time.Duration) {
	for end := s.now.Add(d); s.now.Before(end); {
		s.pass(time.Second)
		s.pulse(r, direct, flood)
		s.must(s.c.Pulse(protocol.Pulse{Reign: protocol.Reign{Shard: 1, Epoch: 1, Worker: "w.1"}}))
	}
}

// wants compares all effects, in words, with what is wanted.
func (s *story) wants(want ...string) {
	s.t.Helper()
	var got []string
	for _, e := range s.c.Effects() {
		switch e.Kind {
		case EffectDeliver:
			for _, event := range e.Events {
				got = append(got, event.ID)
			}
		case EffectGap:
			got = append(got, fmt.Sprintf("gap %v", e.Groups))
		case EffectGapShard:
			got = append(got, fmt.Sprintf("gap %d", e.Shard))
		case EffectCloseAll:
			got = append(got, "close")
		case EffectStale:
			got = append(got, fmt.Sprintf("stale %s %d<%d", e.Stale.Refused.Worker, e.Stale.Refused.Epoch, e.Stale.Highest.Epoch))
		case EffectSnapshot:
			got = append(got, fmt.Sprintf("snapshot %d", e.Reign.Epoch))
		}
	}
	if !slices.Equal(got, want) {
		s.t.Fatalf("effects %q, want %q", got, want)
	}
}

var r1, r2, r3 = reign(10, "w.1"), reign(20, "w.2"), reign(30, "w.1")

func TestANewReignOverAnUnbrokenLinkIsNoGap(t *testing.T) {
	s := begin(t)
	s.ask(r1)
	s.wants("snapshot 10")
	s.flood(r1, 1, "a")
	s.flood(r1, 2, "b", "c")
	s.direct(r1, 1, "d")
	s.pulse(r1, 1, 2)
	s.wants("a", "b", "c", "d")
	s.ask(r2)
	s.flood(r2, 1, "d", "e") // d was not acked
	s.direct(r2, 1, "f")
	s.wants("snapshot 20", "e", "f")
	if got := s.c.Stats(); got.Duplicates != 1 || got.Events != 6 {
		t.Fatalf("stats %+v", got)
	}
}

func TestHoles(t *testing.T) {
	for _, c := range []struct {
		name string
		tell func(s *story)
		want []string
	}{
		{"a direct batch is missing", func(s *story) { s.direct(r1, 3, "c") }, []string{"gap 0", "c"}},
		{"a flood batch is missing", func(s *story) { s.flood(r1, 3, "c") }, []string{"gap 0", "c"}},
		{"the direct tail is missing", func(s *story) { s.pulse(r1, 2, 1) }, []string{"gap 0"}},
		{"the flood's tail is missing", func(s *story) { s.pulse(r1, 1, 2) }, []string{"gap 0"}},
		{"the tail is missing, once", func(s *story) { s.pulse(r1, 4, 4); s.pulse(r1, 4, 4); s.direct(r1, 5, "e") }, []string{"gap 0", "e"}},
		{"a late pulse", func(s *story) { s.pulse(r1, 0, 0) }, nil},
		{"a pulse to all says nothing of direct ones", func(s *story) {
			s.must(s.c.Pulse(protocol.Pulse{Reign: r1, Direct: 9, Flood: 1, All: true}))
		}, nil},
		{"a batch comes twice", func(s *story) { s.direct(r1, 1, "x"); s.flood(r1, 1, "y") }, nil},
		{"the new reign's first batch is missing", func(s *story) { s.direct(r2, 2, "c") }, []string{"gap 0", "c"}},
		{"the new reign's first flood is missing", func(s *story) { s.pulse(r2, 0, 1) }, []string{"gap 0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := begin(t)
			s.ask(r1)
			s.flood(r1, 1, "a")
			s.direct(r1, 1, "b")
			s.wants("snapshot 10", "a", "b")
			c.tell(s)
			s.wants(c.want...)
		})
	}
}

// It cannot tell a flood that began before it from one that its full queue refused.
func TestAFreshGatewayInTheMiddleOfAFlood(t *testing.T) {
	s := begin(t)
	s.flood(r1, 57, "a")
	s.pulse(r1, 0, 57)
	s.wants("gap 0", "a")
	s.direct(r1, 2, "b") // its direct numbers began with it
	s.wants("gap 0", "b")
}

func TestAFirstPulseShowsARefusedFlood(t *testing.T) {
	s := begin(t)
	s.pulse(r1, 0, 42)
	s.wants("gap 0")
	s.flood(r1, 43, "a")
	s.wants("a")
}

// A reign that has ended its flood without having this gateway in its directory
// may have acked what its members are owed. One that only flooded has not.
func TestAReignThatNeverServed(t *testing.T) {
	end := func(s *story, member bool) {
		s.must(s.c.Pulse(protocol.Pulse{Reign: r1, Flood: 1, All: !member, Member: member}))
	}
	for name, c := range map[string]struct {
		served func(s *story)
		want   []string
	}{
		"it ended before it could":           {func(*story) {}, []string{"snapshot 20"}},
		"it only flooded":                    {func(s *story) { s.flood(r1, 1) }, []string{"snapshot 20"}},
		"it ended its flood":                 {func(s *story) { s.flood(r1, 1); end(s, false) }, []string{"gap 0", "snapshot 20"}},
		"it probed what is not a member":     {func(s *story) { s.must(s.c.Pulse(protocol.Pulse{Reign: r1})) }, []string{"gap 0", "snapshot 20"}},
		"it pulsed to a member in its flood": {func(s *story) { s.pulse(r1, 0, 0); s.flood(r1, 1); end(s, false) }, []string{"snapshot 20"}},
		"it pulsed to a member":              {func(s *story) { s.flood(r1, 1); end(s, true) }, []string{"snapshot 20"}},
		"it sent a batch to a member":        {func(s *story) { s.flood(r1, 1); s.direct(r1, 1); end(s, false) }, []string{"snapshot 20"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(t)
			s.ask(r1)
			s.wants("snapshot 10")
			c.served(s)
			s.ask(r2)
			s.wants(c.want...)
		})
	}
}

// What a gap stands for may be delivered by the next reign, after what followed it.
func TestLateAfterAGap(t *testing.T) {
	for _, c := range []struct {
		name  string
		after time.Duration
		want  []string
	}{
		{"soon", 0, []string{"gap 0", "snapshot 20", "b"}},
		{"when nothing of it can come any more", 61 * time.Second, []string{"snapshot 20", "b"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := begin(t)
			s.ask(r1)
			s.direct(r1, 1, "a")
			s.direct(r1, 3, "c")
			s.wants("snapshot 10", "a", "gap 0", "c")
			s.wait(r1, 3, 0, c.after)
			s.serve(r2)
			s.flood(r2, 1, "b", "c")
			s.wants(c.want...)
			s.ask(r3) // once
			s.wants("snapshot 30")
		})
	}
}

func TestLinkLoss(t *testing.T) {
	for _, c := range []struct {
		name    string
		resumed bool
		tell    func(s *story)
		want    []string
	}{
		{"same reign, next number", true, func(s *story) { s.direct(r1, 2, "c") }, []string{"c"}},
		{"same reign, delivered again, next number", true, func(s *story) { s.direct(r1, 1, "b"); s.direct(r1, 2, "c") }, []string{"c"}},
		{"same reign, a pulse that fits", true, func(s *story) { s.pulse(r1, 1, 1) }, nil},
		{"same reign, a hole", true, func(s *story) { s.direct(r1, 3, "d") }, []string{"gap 0", "d"}},
		{"same reign, a hole at the tail", true, func(s *story) { s.pulse(r1, 2, 1) }, []string{"gap 0"}},
		{"a new reign", true, func(s *story) { s.ask(r2) }, []string{"gap 0", "snapshot 20"}},
		{"a new reign after a repeat", true, func(s *story) { s.direct(r1, 1, "b"); s.flood(r2, 4, "c") }, []string{"gap 0", "c"}},
		{"a new reign in its middle is one gap", true, func(s *story) { s.flood(r2, 4, "c"); s.flood(r2, 5, "d"); s.pulse(r2, 0, 5) }, []string{"gap 0", "c", "d"}},
		{"the queue was gone", false, func(s *story) { s.direct(r1, 2, "c"); s.direct(r1, 3, "d") }, []string{"gap 0", "c", "d"}},
		{"the queue was gone, and a hole, is one gap", false, func(s *story) { s.direct(r1, 7, "c") }, []string{"gap 0", "c"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := begin(t)
			s.ask(r1)
			s.flood(r1, 1, "a")
			s.direct(r1, 1, "b")
			s.wants("snapshot 10", "a", "b")
			s.c.LinkLost()
			s.pass(time.Second)
			s.c.LinkUp(c.resumed)
			s.wants()
			c.tell(s)
			s.wants(c.want...)
			s.pass(4500 * time.Millisecond)
			s.pulse(s.c.shards[0].reign, s.c.shards[0].direct.last, s.c.shards[0].flood.last)
			s.wants("gap 1") // the other shard was never heard: an early one
		})
	}
}

func TestLinkLostBeforeAnyReign(t *testing.T) {
	s := begin(t)
	s.c.LinkLost()
	s.c.LinkUp(true)
	s.direct(r1, 1, "a")
	s.wants("gap 0", "a")
}

func TestFenceAndStaleAnswers(t *testing.T) {
	s := begin(t)
	s.serve(r1)
	s.flood(r1, 1, "a")
	s.serve(r2)
	s.wants("snapshot 10", "a", "snapshot 20")
	s.flood(r1, 1, "a") // delivered again by the broker
	s.wants()
	s.flood(r1, 2, "ghost")
	s.pulse(r1, 0, 2)
	s.ask(r1)
	s.wants("stale w.1 10<20") // one a second
	s.pass(time.Second)
	s.direct(r1, 1, "ghost")
	s.wants("stale w.1 10<20")
	s.ask(reign(20, "w.1")) // reigns of one epoch are ordered by worker
	s.wants()
	if got := s.c.Stats(); got.Stale != 5 || got.Repeated != 1 {
		t.Fatalf("stats %+v", got)
	}
	// The refused worker comes back with a higher reign.
	s.serve(r3)
	s.wants("gap 0", "snapshot 30")
	// What was refused of it may come with its next reign, after what came since.
	s.serve(reign(40, "w.1"))
	s.wants("gap 0", "snapshot 40")
	s.ask(reign(50, "w.1"))
	s.wants("snapshot 50")
	if got := s.c.Stats().Gaps; got[CauseStale] != 1 || got[CauseLate] != 1 {
		t.Fatalf("gaps %v", got)
	}
}

func TestSilence(t *testing.T) {
	s := begin(t)
	s.ask(r1)
	s.must(s.c.Ask(protocol.Ask{Reign: protocol.Reign{Shard: 1, Epoch: 1, Worker: "w.1"}}))
	s.c.Effects()
	for range 20 { // shard 1 is heard
		s.pass(1500 * time.Millisecond)
		s.must(s.c.Pulse(protocol.Pulse{Reign: protocol.Reign{Shard: 1, Epoch: 1, Worker: "w.1"}}))
	}
	s.wants()
	s.pulse(r1, 0, 0)
	s.wants("gap 0")
	if s.c.Stats().Gaps[CauseSilence] != 1 {
		t.Fatalf("gaps %v", s.c.Stats().Gaps)
	}
}

func TestEarlyGapAndCloseAll(t *testing.T) {
	s := begin(t)
	s.ask(r1)
	s.c.Effects()
	s.c.LinkLost()
	s.pass(4750 * time.Millisecond)
	s.wants()
	if s.c.LostRoutes() != 0 {
		t.Fatal("a route counts as lost too early")
	}
	s.pass(250 * time.Millisecond)
	s.wants("gap 0", "gap 1")
	if s.c.LostRoutes() != 2 {
		t.Fatalf("%d lost routes", s.c.LostRoutes())
	}
	s.c.LinkUp(true)
	s.pass(24750 * time.Millisecond)
	s.wants()
	s.pass(250 * time.Millisecond)
	s.wants("close")
	s.pass(time.Hour)
	s.wants()
	s.ask(r2)
	s.wants("gap 0", "snapshot 20")
	if s.c.LostRoutes() != 1 {
		t.Fatalf("%d lost routes", s.c.LostRoutes())
	}
}

func TestAnEarlyGapAloneWhenNothingWasLost(t *testing.T) {
	s := begin(t)
	s.ask(r1)
	s.direct(r1, 1, "a")
	s.c.Effects()
	s.c.LinkLost()
	s.pass(10 * time.Second)
	s.wants("gap 0", "gap 1")
	s.c.LinkUp(true)
	s.direct(r1, 2, "b")
	s.wants("b")
}

func TestTheClockStandsStill(t *testing.T) {
	s := begin(t)
	s.ask(r1)
	s.c.Effects()
	s.c.Blocked(true)
	s.pass(5 * time.Minute)
	s.wants()
	s.c.Blocked(false)
	s.now = s.now.Add(time.Hour) // frozen, or the clock was set
	s.c.Tick(s.now)
	s.now = s.now.Add(-2 * time.Hour)
	s.c.Tick(s.now)
	s.wants()
}

func TestTold(t *testing.T) {
	s := begin(t)
	s.must(s.c.Gap(protocol.Gap{Shard: 1, Groups: []protocol.Group{"jobs-a", "jobs-b"}}))
	s.must(s.c.Gap(protocol.Gap{Shard: 1}))
	s.wants("gap [jobs-a jobs-b]", "gap 1")
}

func TestShardsThatDoNotExist(t *testing.T) {
	s := begin(t)
	for _, shard := range []int{-1, 2} {
		r := protocol.Reign{Shard: shard, Epoch: 1, Worker: "w.1"}
		for _, err := range []error{
			s.c.Batch(protocol.Batch{Reign: r, Mode: protocol.ModeDirect, Sequence: 1}),
			s.c.Pulse(protocol.Pulse{Reign: r}), s.c.Ask(protocol.Ask{Reign: r}), s.c.Gap(protocol.Gap{Shard: shard}),
		} {
			if !errors.Is(err, ErrShard) {
				t.Errorf("shard %d: %v", shard, err)
			}
		}
	}
	s.wants()
}
