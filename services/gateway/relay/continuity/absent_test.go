package continuity

import (
	"strconv"
	"testing"
	"time"
)

// refused is a story in which a worker of a lower reign has sent events.
func refused(t *testing.T, ids ...string) *story {
	s := begin(t)
	s.serve(r2)
	s.flood(r2, 1, "before")
	s.flood(r1, 1, ids...)
	s.wants("snapshot 20", "before", "stale w.1 10<20")
	return s
}

func TestRefusedEventsThatNobodyBringsAreAGap(t *testing.T) {
	s := refused(t, "a", "before")
	s.wait(r2, 0, 1, 9*time.Second)
	s.wants()
	s.wait(r2, 0, 1, 2*time.Second)
	s.wants("gap [jobs-a]")
	s.wait(r2, 0, 1, time.Minute)
	s.wants()
	if got := s.c.Stats().Gaps[CauseStale]; got != 1 {
		t.Fatalf("%d gaps", got)
	}
}

func TestRefusedEventsThatWereOrAreBroughtAreNone(t *testing.T) {
	s := refused(t, "before", "a", "b")
	s.flood(r2, 2, "a")
	s.ask(reign(40, "w.4"))
	s.flood(reign(40, "w.4"), 1, "b", "c")
	s.wants("a", "snapshot 40", "b", "c")
	s.wait(reign(40, "w.4"), 0, 1, 20*time.Second)
	s.wants()
}

func TestAGapOfTheShardCoversRefusedEvents(t *testing.T) {
	s := refused(t, "a")
	s.flood(r2, 3, "b")
	s.wants("gap 0", "b")
	s.wait(r2, 0, 1, 20*time.Second)
	s.wants()
}

func TestARefusedEventWithoutAnIDIsAGap(t *testing.T) {
	s := refused(t, "")
	s.wait(r2, 0, 1, 11*time.Second)
	s.wants("gap [jobs-a]")
}

func TestTooManyRefusedEventsAreAGapOfTheShard(t *testing.T) {
	s := refused(t, "a")
	for i := range maxAbsent + 10 {
		s.flood(r1, uint64(i+2), strconv.Itoa(i))
	}
	s.c.Effects()
	s.wait(r2, 0, 1, 11*time.Second)
	s.wants("gap 0")
}
