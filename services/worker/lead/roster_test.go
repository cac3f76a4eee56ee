package lead

import (
	"slices"
	"testing"
	"time"
)

// roster lets time pass in steps, and collects what it wants done.
func (r *Roster) pass(seconds int, leads bool) (probed, lost []string) {
	for range seconds {
		r.Tick(time.Second, leads)
		for _, e := range r.Effects() {
			switch e := e.(type) {
			case Probe:
				probed = append(probed, e.Gateway)
			case GatewayLost:
				lost = append(lost, e.Gateway)
			}
		}
	}
	return probed, lost
}

// TestRosterTellsADeathOnce: after 15 s of silence it looks for the queue, and the death
// is told when that is gone. One that speaks, or has said that it stops, has not died.
func TestRosterTellsADeathOnce(t *testing.T) {
	r := NewRoster()
	r.Heard("dead")
	r.Heard("alive")
	r.Heard("stopped")
	r.Bye("stopped")
	r.pass(1, true)
	var probed, lost []string
	for range 40 {
		p, l := r.pass(1, true)
		r.Heard("alive")
		probed, lost = append(probed, p...), append(lost, l...)
	}
	if !slices.Equal(probed, []string{"dead", "dead"}) || lost != nil {
		t.Fatalf("probed %v, lost %v", probed, lost)
	}
	r.Unroutable("alive") // its link is being opened anew
	r.Unroutable("dead")
	r.Unroutable("dead")
	r.Unroutable("stopped")
	if _, lost := r.pass(1, true); !slices.Equal(lost, []string{"dead"}) {
		t.Errorf("lost %v", lost)
	}
}

// TestRosterSurvivesItsLeader: a worker that leads after a gateway's death tells it, if it
// heard of the gateway at all, and judges no silence from before.
func TestRosterSurvivesItsLeader(t *testing.T) {
	r := NewRoster()
	r.Heard("dead")
	r.pass(100, false)
	r.Unroutable("dead") // another leads, and tells it
	if _, lost := r.pass(14, true); lost != nil {
		t.Errorf("lost at once: %v", lost)
	}
	r.Unroutable("dead")
	if probed, lost := r.pass(14, true); lost != nil || !slices.Equal(probed, []string{"dead"}) {
		t.Errorf("lost %v, probed %v", lost, probed)
	}
	r.Unroutable("dead")
	if _, lost := r.pass(1, true); !slices.Equal(lost, []string{"dead"}) {
		t.Errorf("lost %v", lost)
	}
	r.Heard("other")
	r.pass(1, false)
	r.Bye("other") // told by another worker
	r.pass(60, true)
	r.Unroutable("other")
	if _, lost := r.pass(1, true); lost != nil {
		t.Errorf("told twice: %v", lost)
	}
}
