package interest

import "testing"

func TestMovesOfAllPairs(t *testing.T) {
	want := map[[2]State]bool{
		{Absent, Joining}:    true,
		{Joining, Present}:   true,
		{Joining, Lingering}: true,
		{Joining, Leaving}:   true,
		{Joining, Absent}:    true,
		{Present, Lingering}: true,
		{Lingering, Present}: true,
		{Lingering, Leaving}: true,
		{Leaving, Joining}:   true,
		{Leaving, Absent}:    true,
	}
	for from := Absent; from <= Leaving; from++ {
		for to := Absent; to <= Leaving; to++ {
			if got := from.May(to); got != want[[2]State{from, to}] {
				t.Errorf("%v to %v: %v, want %v", from, to, got, !got)
			}
		}
	}
	if Leaving.May(states) || State(states).May(Absent) {
		t.Error("a state beyond the last one has a move")
	}
}

func TestRoutedStates(t *testing.T) {
	for s, want := range map[State]bool{Absent: false, Joining: false, Present: true, Lingering: true, Leaving: false} {
		if s.Active() != want {
			t.Errorf("%v is active: %v, want %v", s, !want, want)
		}
	}
}
