package connection

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(100, 1000)
		expect := func(user string, n int, want time.Duration, wantOK bool) {
			t.Helper()
			if wait, ok := p.charge(user, n, 5*time.Second); ok != wantOK || ok && wait != want {
				t.Errorf("%d groups of %s: wait %v, %v; want %v, %v", n, user, wait, ok, want, wantOK)
			}
		}
		expect("a", 1000, 0, true)          // a burst
		expect("a", 100, time.Second, true) // then each hundred takes a second
		expect("a", 300, 4*time.Second, true)
		expect("a", 300, 0, false) // longer than its answer may take: nothing is charged
		expect("a", 0, 0, true)    // what changes nothing costs nothing
		expect("b", 1000, 0, true) // others have an allowance of their own
		time.Sleep(10 * time.Second)
		expect("a", 600, 0, true)
		expect("c", 1001, 10*time.Millisecond, true)
	})
}

func TestPaceForgetsUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(100, 1000)
		for i := range 3 * sweepEvery {
			p.charge(string(rune(i)), 1, time.Second)
			time.Sleep(time.Millisecond)
		}
		if len(p.users) > sweepEvery+100 {
			t.Errorf("%d users are remembered", len(p.users))
		}
	})
}
