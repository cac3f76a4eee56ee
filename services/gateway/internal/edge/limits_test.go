package edge

import (
	"testing"
	"testing/synctest"
	"time"
)

// allowed returns how many of n handshakes are allowed.
func (r *rate) allowed(n int) (count int) {
	for range n {
		if r.allow() {
			count++
		}
	}
	return count
}

func TestRate(t *testing.T) {
	for _, c := range []struct {
		name      string
		perSecond float64
		burst     int
		wait      time.Duration
		want      int // of what came in the meantime
	}{
		{"nothing without time", 10, 20, 0, 0},
		{"not a moment too early", 10, 20, 100*time.Millisecond - 1, 0},
		{"one for each tenth of a second", 10, 20, 100 * time.Millisecond, 1},
		{"several", 10, 20, 550 * time.Millisecond, 5},
		{"no more than a burst", 10, 20, time.Hour, 20},
		{"less than one a second", 0.1, 1, 9 * time.Second, 0},
		{"one in ten seconds", 0.1, 1, 10 * time.Second, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRate(c.perSecond, c.burst)
				if got := r.allowed(1000); got != c.burst {
					t.Errorf("the first burst let %d in, want %d", got, c.burst)
				}
				time.Sleep(c.wait)
				if got := r.allowed(1000); got != c.want {
					t.Errorf("then %d were let in, want %d", got, c.want)
				}
			})
		})
	}
}

// TestIdleRateAllowsOneBurst: a long idle time does not allow more than one burst.
func TestIdleRateAllowsOneBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRate(2, 4)
		time.Sleep(time.Hour)
		if got := r.allowed(100); got != 4 {
			t.Errorf("%d were let in", got)
		}
	})
}
