package load

import (
	"testing"
	"time"
)

// script builds a ledger and a record from steps, so that each finding of the
// checker is provoked once.
type script struct {
	ledger Ledger
	record Record
	clock  time.Time
}

func newScript() *script {
	return &script{record: Record{Name: "test"}, clock: time.Now().Add(-time.Hour)}
}

func (s *script) tick() time.Time { s.clock = s.clock.Add(2 * time.Second); return s.clock }

func (s *script) emit(n int) Emit {
	e := Emit{Publisher: 1, Group: "load-1", N: n, Start: s.tick()}
	e.Confirmed = s.tick()
	s.ledger.emits = append(s.ledger.emits, e)
	return e
}

func (s *script) saw(text string) {
	s.record.Saw(text)
	s.record.entries[len(s.record.entries)-1].at = s.tick()
}
func (s *script) changed(groups ...string) {
	s.record.Changing(groups)
	s.record.entries[len(s.record.entries)-1].at = s.tick()
}
func (s *script) only(group string) {
	s.record.Allowed = func(g string) bool { return g == group }
}
func (s *script) got(e Emit) { s.saw(string(Payload(e))) }
func (s *script) subscribed() {
	s.saw(`{"groups_current": ["load-1"], "groups_left": [], "groups_joined": ["load-1"]}`)
}
func (s *script) closed(code int) { s.record.Code, s.record.Closed = code, s.tick() }
func (s *script) left()           { s.record.Left, s.record.Closed = s.tick(), s.tick() }
func (s *script) report() Report  { return Check(&s.ledger, []*Record{&s.record}) }

func TestCheckerFindsWhatIsWrong(t *testing.T) {
	for _, test := range []struct {
		name string
		play func(s *script)
		want Report
	}{
		{"all well", func(s *script) { s.subscribed(); s.got(s.emit(1)); s.got(s.emit(2)); s.left() },
			Report{Attempted: 2, Confirmed: 2, Delivered: 2}},
		{"lost", func(s *script) { s.subscribed(); s.emit(1); s.got(s.emit(2)); s.left() },
			Report{Attempted: 2, Confirmed: 2, Delivered: 1, LostWithoutGap: 1}},
		{"lost with a gap", func(s *script) { s.subscribed(); s.emit(1); s.saw(`{"gap": ["load-1"]}`); s.left() },
			Report{Attempted: 1, Confirmed: 1, LostWithGap: 1}},
		{"a gap before the loss excuses nothing", func(s *script) { s.subscribed(); s.saw(`{"gap": ["load-1"]}`); s.emit(1); s.left() },
			Report{Attempted: 1, Confirmed: 1, LostWithoutGap: 1}},
		{"a gap of another group excuses nothing", func(s *script) { s.subscribed(); s.emit(1); s.saw(`{"gap": ["load-2"]}`); s.left() },
			Report{Attempted: 1, Confirmed: 1, LostWithoutGap: 1}},
		{"on its way at a close", func(s *script) {
			s.subscribed()
			s.emit(1)
			s.record.Code, s.record.Closed = 1001, s.clock.Add(-time.Second)
			s.ledger.emits[0].Confirmed = s.record.Closed.Add(-time.Millisecond)
			s.ledger.emits[0].Start = s.record.Closed.Add(-500 * time.Millisecond)
		}, Report{Attempted: 1, Confirmed: 1, LostAtClose: 1}},
		{"lost well before a close", func(s *script) { s.subscribed(); s.emit(1); s.closed(1001) },
			Report{Attempted: 1, Confirmed: 1, LostWithoutGap: 1}},
		{"on its way at a leave", func(s *script) {
			s.subscribed()
			s.emit(1)
			s.changed("load-2")
			s.ledger.emits[0].Start = s.clock.Add(-500 * time.Millisecond)
			s.ledger.emits[0].Confirmed = s.clock.Add(-time.Millisecond)
		}, Report{Attempted: 1, Confirmed: 1, LostAtLeave: 1}},
		{"lost well before a leave", func(s *script) { s.subscribed(); s.emit(1); s.changed("load-2") },
			Report{Attempted: 1, Confirmed: 1, LostWithoutGap: 1}},
		{"lost in a group that stays over a change", func(s *script) {
			s.subscribed()
			s.emit(1)
			s.changed("load-1", "load-2")
			s.ledger.emits[0].Start = s.clock.Add(-500 * time.Millisecond)
			s.ledger.emits[0].Confirmed = s.clock.Add(-time.Millisecond)
			s.left()
		}, Report{Attempted: 1, Confirmed: 1, LostWithoutGap: 1}},
		{"doubled", func(s *script) { s.subscribed(); e := s.emit(1); s.got(e); s.got(e); s.left() },
			Report{Attempted: 1, Confirmed: 1, Delivered: 1, Duplicated: 1}},
		{"out of order", func(s *script) { s.subscribed(); a, b := s.emit(1), s.emit(2); s.got(b); s.got(a); s.left() },
			Report{Attempted: 2, Confirmed: 2, Delivered: 2, Reordered: 1}},
		{"ghost", func(s *script) { s.got(s.emit(1)); s.left() },
			Report{Delivered: 1, Ghost: 1}},
		{"unauthorised, the group and its event", func(s *script) {
			s.only("load-2")
			s.changed("load-1")
			s.subscribed()
			s.got(s.emit(1))
			s.left()
		}, Report{Attempted: 1, Confirmed: 1, Delivered: 1, Unauthorised: 2, Unexpected: 1}},
		{"denied as it must be", func(s *script) {
			s.only("load-1")
			s.changed("load-1", "load-2")
			s.saw(`{"error": "access denied to channel load for resource id 2"}`)
			s.subscribed()
			s.got(s.emit(1))
			s.left()
		}, Report{Attempted: 1, Confirmed: 1, Delivered: 1, Denied: 1}},
		{"denied without a word", func(s *script) { s.only("load-1"); s.changed("load-1", "load-2"); s.subscribed(); s.left() },
			Report{Unexpected: 1}},
		{"denied what is allowed", func(s *script) {
			s.changed("load-1")
			s.saw(`{"error": "access denied to channel load for resource id 1"}`)
			s.left()
		}, Report{Unexpected: 1}},
		{"denied twice", func(s *script) {
			s.only("load-1")
			s.changed("load-2")
			s.saw(`{"error": "access denied to channel load for resource id 2"}`)
			s.saw(`{"error": "access denied to channel load for resource id 2"}`)
			s.left()
		}, Report{Denied: 1, Unexpected: 1}},
		{"a change that could not be made", func(s *script) {
			s.subscribed()
			s.changed("load-2")
			s.saw(`{"error": "subscriptions are unavailable, try again"}`)
			s.emit(1)
			s.left()
		}, Report{Attempted: 1, Confirmed: 1, LostWithoutGap: 1, Unavailable: 1}},
		{"another error", func(s *script) { s.saw(`{"error": "subscriptions are unavailable, try again"}`); s.left() },
			Report{Unexpected: 1}},
		{"nobody emitted it", func(s *script) { s.subscribed(); s.got(Emit{Publisher: 9, Group: "load-1", N: 1}); s.left() },
			Report{Unexpected: 1}},
		{"unknown frame", func(s *script) { s.subscribed(); s.saw(`{"hello": 1}`); s.left() },
			Report{Unexpected: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newScript()
			test.play(s)
			got := s.report()
			examples := got.Examples
			got.Examples = nil
			if got.String() != test.want.String() {
				t.Errorf("got  %v\nwant %v\n%v", got, test.want, examples)
			}
		})
	}
}

// TestCheckerKnowsWhatWasOnItsWay has a client leave a group before an event
// reaches the other one, and after another event did.
func TestCheckerKnowsWhatWasOnItsWay(t *testing.T) {
	s := newScript()
	s.subscribed()
	stays := s.record
	s.record = Record{Name: "leaves"}
	s.subscribed()
	early, late := s.emit(1), s.emit(2)
	arrive := func(e Emit) {
		stays.Saw(string(Payload(e)))
		stays.entries[len(stays.entries)-1].at = s.tick()
	}
	arrive(early)
	s.changed("load-2")
	arrive(late)
	stays.Left, stays.Closed = s.tick(), s.tick()
	want := Report{Attempted: 4, Confirmed: 4, Delivered: 2, LostWithoutGap: 1, LostAtLeave: 1}
	got := Check(&s.ledger, []*Record{&s.record, &stays})
	got.Examples = nil
	if got.String() != want.String() {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}
