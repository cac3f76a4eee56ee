package continuity

import (
	"fmt"
	"testing"
	"time"

	"belfry/pkg/protocol"
)

func event(group protocol.Group, id, body string) *protocol.Event {
	return &protocol.Event{Group: group, ID: id, Payload: []byte(body)}
}

func TestMemoryTellsEventsApart(t *testing.T) {
	m := newMemory(Options{}.withDefaults())
	for i, c := range []struct {
		e    *protocol.Event
		want verdict
	}{
		{event("jobs-a", "1", "x"), unknown},
		{event("jobs-a", "1", "x"), seen},
		{event("jobs-b", "1", "x"), unknown},
		{event("jobs-a", "2", "x"), unknown},
		{event("jobs-a", "1", "y"), otherBody},
		{event("jobs-a", "1", "y"), seen},
	} {
		if got := m.see(c.e, 0); got != c.want {
			t.Errorf("event %d: %d, want %d", i, got, c.want)
		}
	}
}

func TestEventsWithoutAnIDAreNotRemembered(t *testing.T) {
	s := begin(t)
	s.ask(r1)
	s.direct(r1, 1, "", "")
	s.wants("snapshot 10", "", "")
	if got := s.c.Stats(); got.Duplicates != 0 || got.Remembered != 0 {
		t.Fatalf("stats %+v", got)
	}
}

func TestMemoryKeepsAnAgeAndANumber(t *testing.T) {
	const minute = time.Minute
	m := newMemory(Options{RememberCount: 3}.withDefaults())
	m.see(event("jobs-a", "few", "x"), 0)
	m.age(2 * minute)
	m.age(14 * minute)
	if m.see(event("jobs-a", "few", "x"), 14*minute) != seen {
		t.Fatal("one of few was forgotten")
	}
	m.see(event("jobs-a", "2", "x"), 14*minute)
	m.see(event("jobs-a", "3", "x"), 14*minute)
	m.age(14 * minute) // enough, and old enough: a new generation
	m.age(14*minute + 59*time.Second)
	if m.see(event("jobs-a", "2", "x"), 14*minute+59*time.Second) != seen {
		t.Fatal("forgotten before its time")
	}
	m.age(30 * minute)
	m.age(46 * minute)
	if m.len() != 0 {
		t.Fatalf("%d events are remembered for ever", m.len())
	}
	if m.forgotten != 0 {
		t.Fatalf("%d were given up early", m.forgotten)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	m := newMemory(Options{RememberBytes: 100 * 2 * entryBytes}.withDefaults())
	for i := range 1000 {
		m.see(event("jobs-a", fmt.Sprint(i), "x"), 0)
		if m.len() > 200 {
			t.Fatalf("%d entries, bound 200", m.len())
		}
	}
	if m.forgotten == 0 {
		t.Fatal("what was given up early is not counted")
	}
}
