package interest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

const a, b, x protocol.Group = "jobs-a", "jobs-b", "jobs-x"

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// bench drives a Core and keeps what it published.
type bench struct {
	t   *testing.T
	c   *Core
	now time.Time
}

func newBench(t *testing.T, o Options) *bench {
	o.Gateway = "g.1"
	s := &bench{t: t, c: New(o), now: start}
	s.c.NewLink(s.now, 1)
	s.only(KindHeartbeat)
	return s
}

// step moves time and returns the effects but heartbeats.
func (s *bench) step(d time.Duration) []Effect {
	s.now = s.now.Add(d)
	return slices.DeleteFunc(slices.Clone(s.c.Effects(s.now)), func(e Effect) bool { return e.Kind == KindHeartbeat })
}

func (s *bench) only(kind Kind) Effect {
	s.t.Helper()
	out := slices.Clone(s.c.Effects(s.now))
	if len(out) != 1 || out[0].Kind != kind {
		s.t.Fatalf("effects %v, want one of kind %d", out, kind)
	}
	return out[0]
}

func (s *bench) none() {
	s.t.Helper()
	if out := s.step(0); len(out) != 0 {
		s.t.Fatalf("effects %v, want none", out)
	}
}

func (s *bench) join(groups ...protocol.Group) Ticket {
	s.t.Helper()
	t, active := s.c.Join(groups)
	if active != (t == 0) {
		s.t.Fatalf("ticket %d and active %v", t, active)
	}
	return t
}

func (s *bench) settle(e Effect, err error) []Ticket { return s.c.Settled(s.now, e, err) }

func (s *bench) is(g protocol.Group, want State) {
	s.t.Helper()
	if got := s.c.State(g); got != want {
		s.t.Fatalf("%s is %v, want %v", g, got, want)
	}
}

func interestOf(t *testing.T, e Effect) protocol.Interest {
	t.Helper()
	if e.Kind != KindInterest {
		t.Fatalf("effect of kind %d, want an interest", e.Kind)
	}
	m, err := protocol.Decode[protocol.Interest](e.Message.Body)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (s *bench) says(e Effect, revision uint64, join, leave []protocol.Group) {
	s.t.Helper()
	m := interestOf(s.t, e)
	if m.Revision != revision || !slices.Equal(m.Join, join) || !slices.Equal(m.Leave, leave) {
		s.t.Fatalf("interest %+v, want revision %d, join %v, leave %v", m, revision, join, leave)
	}
}

func groups(g ...protocol.Group) []protocol.Group { return g }

func TestJoinWaitsForTheConfirmAndSharesIt(t *testing.T) {
	s := newBench(t, Options{})
	first, second := s.join(a, b, a), s.join(a)
	e := s.only(KindInterest)
	s.says(e, 1, groups(a, b), nil)
	if e.Message.Exchange != "belfry.interest.v1.n1" || e.Message.Key != "0" || !e.Message.Mandatory {
		t.Fatalf("published to %q with key %q, mandatory %v", e.Message.Exchange, e.Message.Key, e.Message.Mandatory)
	}
	third := s.join(b)
	s.none()
	if got := s.settle(e, nil); !slices.Equal(got, []Ticket{second, first, third}) {
		t.Fatalf("tickets %v", got)
	}
	s.is(a, Present)
	if s.join(a, b) != 0 {
		t.Fatal("groups that are routed made somebody wait")
	}
	s.none()
	if got := s.settle(e, nil); got != nil {
		t.Fatalf("a second confirm gave tickets %v", got)
	}
}

func TestLingerAndLeave(t *testing.T) {
	s := newBench(t, Options{})
	s.join(a)
	s.settle(s.only(KindInterest), nil)
	s.c.Leave(s.now, groups(a))
	s.is(a, Lingering)
	if out := s.step(9 * time.Second); len(out) != 0 {
		t.Fatalf("left early: %v", out)
	}
	if s.join(a) != 0 {
		t.Fatal("a lingering group made somebody wait")
	}
	s.c.Leave(s.now, groups(a))
	if next := s.c.Next(); next.After(s.now.Add(10 * time.Second)) {
		t.Fatalf("next is %v, after the linger", next.Sub(s.now))
	}
	out := s.step(10 * time.Second)
	s.says(out[0], 2, nil, groups(a))
	s.is(a, Leaving)
	ticket := s.join(a)
	s.is(a, Joining)
	again := s.step(0)
	s.says(again[0], 3, groups(a), nil)
	if got := s.settle(out[0], nil); got != nil {
		t.Fatalf("the leave's confirm gave tickets %v", got)
	}
	s.is(a, Joining)
	if got := s.settle(again[0], nil); !slices.Equal(got, []Ticket{ticket}) {
		t.Fatalf("tickets %v", got)
	}
	s.c.Leave(s.now, groups(a))
	s.settle(s.step(10 * time.Second)[0], nil)
	s.is(a, Absent)
	if got := s.c.Stats(); got.Announced != 0 || got.Unsettled != 0 {
		t.Fatalf("left over: %+v", got)
	}
}

func TestRefusedIsSentAgainWithTheSameRevision(t *testing.T) {
	s := newBench(t, Options{})
	ticket := s.join(a, b)
	e := s.only(KindInterest)
	s.settle(e, amqpbus.ErrRefused)
	s.join(x)
	s.none() // order is kept: x waits behind what was refused
	s.c.Abandon(ticket)
	s.c.Leave(s.now, groups(b))
	s.is(b, Absent)
	out := s.step(250 * time.Millisecond)
	if len(out) != 2 {
		t.Fatalf("effects %v", out)
	}
	s.says(out[0], 1, groups(a), nil)
	s.says(out[1], 2, groups(x), nil)
	s.settle(out[0], amqpbus.ErrUnroutable)
	s.settle(out[1], nil)
	if out := s.step(0); len(out) != 0 {
		t.Fatalf("no pause after a refusal: %v", out)
	}
	out = s.step(500 * time.Millisecond)
	s.says(out[0], 1, groups(a), nil)
	if got := s.settle(out[0], nil); got != nil {
		t.Fatalf("the abandoned ticket came back: %v", got)
	}
	s.is(a, Present)
}

func TestRefusedAndSuperseded(t *testing.T) {
	s := newBench(t, Options{})
	s.join(a)
	e := s.only(KindInterest)
	s.settle(e, amqpbus.ErrRefused)
	s.c.Leave(s.now, groups(a))
	s.is(a, Absent)
	// The revision exists, so it is said, although of nothing.
	out := s.step(time.Second)
	s.says(out[0], 1, nil, nil)
	s.settle(out[0], amqpbus.ErrRefused)
	s.join(a)
	out = s.step(time.Second)
	s.says(out[0], 1, nil, nil)
	s.says(out[1], 2, groups(a), nil)
	s.settle(out[0], amqpbus.ErrRefused)
	s.settle(out[1], nil)
	if out = s.step(time.Second); len(out) != 0 {
		t.Fatalf("a superseded revision was sent again: %v", out)
	}
	s.is(a, Present)
}

func TestUnwantedWhileItIsOnItsWay(t *testing.T) {
	s := newBench(t, Options{})
	s.join(a)
	s.c.Leave(s.now, groups(a))
	s.is(a, Absent) // it was not cut
	s.none()
	s.join(a)
	e := s.only(KindInterest)
	s.c.Leave(s.now, groups(a))
	s.is(a, Joining)
	s.settle(e, nil)
	s.is(a, Lingering)
}

func TestNewLinkAnnouncesWhatIsUnsettled(t *testing.T) {
	s := newBench(t, Options{Window: 1})
	s.join(a)
	s.settle(s.only(KindInterest), nil) // settled: not again
	ticket := s.join(b)
	old := s.only(KindInterest)
	s.join(x) // not cut
	s.c.LinkLost()
	s.none()
	s.settle(old, amqpbus.ErrLinkLost)
	s.c.NewLink(s.now, 2)
	out := s.c.Effects(s.now)
	if len(out) != 2 || out[1].Kind != KindHeartbeat {
		t.Fatalf("effects %v", out)
	}
	m := interestOf(t, out[0])
	if m.Link != 2 || m.Revision != 3 || !slices.Equal(m.Join, groups(x, b)) {
		t.Fatalf("announced %+v", m)
	}
	beat, err := protocol.Decode[protocol.Heartbeat](out[1].Message.Body)
	if err != nil || beat.Revision != 3 || beat.Count != 3 || beat.Digest != protocol.Digest(a)^protocol.Digest(b)^protocol.Digest(x) {
		t.Fatalf("heartbeat %+v, %v", beat, err)
	}
	if got := s.settle(old, nil); got != nil {
		t.Fatalf("a confirm of the old link gave %v", got)
	}
	if got := s.settle(out[0], nil); !slices.Contains(got, ticket) {
		t.Fatalf("tickets %v", got)
	}
}

func TestLinkLostWithUnwantedAndLeaving(t *testing.T) {
	s := newBench(t, Options{})
	s.join(a, b)
	s.settle(s.only(KindInterest), nil)
	s.c.Leave(s.now, groups(b))
	s.step(10 * time.Second) // b is leaving
	s.join(x)
	s.step(0)
	s.c.Leave(s.now, groups(x)) // x is joining and unwanted
	s.c.NewLink(s.now, 2)
	out := s.step(0)
	s.says(out[0], 4, nil, groups(b, x))
	s.settle(out[0], nil)
	s.is(b, Absent)
	s.is(x, Absent)
}

func TestHeartbeatsSayWhatWasCut(t *testing.T) {
	s := newBench(t, Options{Window: 1})
	s.join(a)
	s.only(KindInterest)
	s.join(b) // waits: the window is full
	s.now = s.now.Add(5 * time.Second)
	beat, err := protocol.Decode[protocol.Heartbeat](s.only(KindHeartbeat).Message.Body)
	if err != nil || beat.Revision != 1 || beat.Count != 1 || beat.Digest != protocol.Digest(a) {
		t.Fatalf("heartbeat %+v, %v", beat, err)
	}
	if got := s.c.Next(); !got.Equal(s.now.Add(5 * time.Second)) {
		t.Fatalf("next in %v", got.Sub(s.now))
	}
}

func TestSnapshotIsWholeAndInParts(t *testing.T) {
	s := newBench(t, Options{MaxGroups: 2})
	reign := protocol.Reign{Epoch: 7, Worker: "w.1"}
	empty := s.c.Snapshot(reign)
	if len(empty) != 1 {
		t.Fatalf("an empty snapshot has %d parts", len(empty))
	}
	s.join("jobs-3", "jobs-1", "jobs-2", "jobs-5", "jobs-4")
	s.step(0)
	parts := s.c.Snapshot(reign)
	var all []protocol.Group
	for i, e := range parts {
		m, err := protocol.Decode[protocol.Snapshot](e.Message.Body)
		if err != nil || m.Part != i || m.Parts != 3 || m.Revision != 3 || m.Link != 1 || m.Reign != reign {
			t.Fatalf("part %d: %+v, %v", i, m, err)
		}
		if e.Message.Exchange != amqpbus.ExchangeReply || e.Message.Key != "w.1" {
			t.Fatalf("part %d goes to %q %q", i, e.Message.Exchange, e.Message.Key)
		}
		all = append(all, m.Groups...)
	}
	if !slices.Equal(all, groups("jobs-1", "jobs-2", "jobs-3", "jobs-4", "jobs-5")) {
		t.Fatalf("groups %v", all)
	}
	s.c.LinkLost()
	if s.c.Snapshot(reign) != nil {
		t.Fatal("a snapshot without a link")
	}
}

func TestBye(t *testing.T) {
	s := newBench(t, Options{})
	s.join(a)
	s.settle(s.only(KindInterest), nil)
	s.c.Bye()
	e := s.only(KindBye)
	s.none()
	s.settle(e, amqpbus.ErrLinkLost)
	s.c.NewLink(s.now, 2)
	e = s.only(KindBye)
	m, err := protocol.Decode[protocol.Bye](e.Message.Body)
	if err != nil || m.Link != 2 || m.Revision != 1 {
		t.Fatalf("bye %+v, %v", m, err)
	}
	if s.c.Gone() {
		t.Fatal("gone before the outcome is known")
	}
	s.settle(e, nil)
	s.none()
	if !s.c.Gone() || !s.c.Next().IsZero() {
		t.Fatal("not gone")
	}
}

// TestRandomLives compares a Core with what the broker stored of it: whatever
// was refused or lost, at the end the queue's reader holds what is announced.
func TestRandomLives(t *testing.T) {
	for seed := range uint64(300) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { randomLife(t, rand.New(rand.NewPCG(seed, 1))) })
	}
}

func randomLife(t *testing.T, r *rand.Rand) {
	s := &bench{t: t, c: New(Options{Gateway: "g.1", Window: 2, MaxGroups: 3}), now: start}
	table := map[protocol.Group]uint64{} // revision that said so; the low bit: held
	refs, link := map[protocol.Group]int{}, uint64(0)
	waiting := map[Ticket]protocol.Group{}
	var flight []Effect
	land := func(fail bool) {
		e := flight[0]
		flight = flight[1:]
		if fail {
			s.settle(e, amqpbus.ErrRefused)
			return
		}
		store(t, table, e)
		for _, ticket := range s.settle(e, nil) {
			delete(waiting, ticket)
		}
	}
	for range 400 {
		g := protocol.Group(fmt.Sprintf("jobs-%d", r.IntN(6)))
		switch r.IntN(6) {
		case 0, 1:
			if ticket := s.join(g); ticket != 0 {
				waiting[ticket] = g
			}
			refs[g]++
		case 2:
			if refs[g] > 0 {
				refs[g]--
				for ticket, of := range waiting {
					if of == g && refs[g] == 0 {
						s.c.Abandon(ticket)
						delete(waiting, ticket)
					}
				}
				s.c.Leave(s.now, groups(g))
			}
		case 3:
			flight = append(flight, s.step(time.Duration(r.IntN(5000))*time.Millisecond)...)
		case 4:
			if len(flight) > 0 {
				land(r.IntN(4) == 0)
			}
		case 5:
			if r.IntN(5) == 0 {
				for _, e := range flight[:r.IntN(len(flight)+1)] {
					store(t, table, e) // stored, and its confirm lost
				}
				flight = nil
				link++
				s.c.NewLink(s.now, link)
			}
		}
	}
	if link == 0 {
		s.c.NewLink(s.now, 1)
	}
	for range 40 {
		flight = append(flight, s.step(time.Second)...)
		for len(flight) > 0 {
			land(false)
		}
	}
	if len(waiting) != 0 {
		t.Errorf("%d tickets were never returned", len(waiting))
	}
	for i := range 6 {
		g := protocol.Group(fmt.Sprintf("jobs-%d", i))
		if held := table[g]&1 == 1; held != (refs[g] > 0) {
			t.Errorf("%s: %d references, in the table: %v", g, refs[g], held)
		}
		if (refs[g] > 0) != (s.c.State(g) == Present) {
			t.Errorf("%s: %d references and %v", g, refs[g], s.c.State(g))
		}
	}
}

// store applies an interest as a worker's table does: by group and revision.
func store(t *testing.T, table map[protocol.Group]uint64, e Effect) {
	m := interestOf(t, e)
	for _, g := range m.Join {
		table[g] = max(table[g], m.Revision<<1|1)
	}
	for _, g := range m.Leave {
		table[g] = max(table[g], m.Revision<<1)
	}
}
