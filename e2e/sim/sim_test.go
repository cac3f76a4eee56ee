package sim

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

const steps = 2000

// everything is the faults of the schedules.
var everything = faults{HandOver: 4, Cut: 10, Kill: 4, Freeze: 3, Block: 2, Fill: 3, Ghosts: true, Skew: true}

// schedule is the faults of a seed: of every two schedules one has few, for
// gaps excuse much where there are many.
func schedule(seed uint64) faults {
	f := everything
	f.Seldom = seed%2 == 1
	return f
}

func always(f faults) func(uint64) faults { return func(uint64) faults { return f } }

// first is the first seed of the tests: what they say must not depend on luck.
const first = 1

// TestSchedules runs a few schedules with all faults, the same ones each time. A
// failure names the seed that replays it. BELFRY_TEST_SIM_SCHEDULES runs as many
// others, with seeds that are drawn: `make verify` runs thousands.
func TestSchedules(t *testing.T) {
	if seed, set := number(t, "BELFRY_TEST_SIM_SEED"); set {
		w := newWorld(seed, schedule(seed), broken{})
		w.story = func(line string) { fmt.Println(line) }
		w.run(steps)
		report(t, seed, w)
		return
	}
	count := uint64(300)
	from := uint64(first)
	if n, set := number(t, "BELFRY_TEST_SIM_SCHEDULES"); set {
		count, from = n, rand.Uint64()>>1
	}
	var total summary
	worlds(from, count, schedule, broken{}, func(seed uint64, w *world) bool {
		s := w.summary()
		total.Events += s.Events
		total.Delivered += s.Delivered
		total.Duplicates += s.Duplicates
		total.Gaps += s.Gaps
		total.Excused += s.Excused
		total.Unavailable += s.Unavailable
		return report(t, seed, w)
	})
	t.Logf("%d schedules from seed %d: %+v", count, from, total)
	if total.Delivered == 0 || total.Excused > total.Delivered {
		t.Errorf("the schedules show nothing: %+v", total)
	}
}

// number reads a variable of the test's own.
func number(t *testing.T, name string) (n uint64, set bool) {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s=%q is not a number", name, text)
	}
	return n, true
}

func report(t *testing.T, seed uint64, w *world) (ok bool) {
	t.Helper()
	for i, v := range w.violations {
		if i < 5 {
			t.Errorf("%s", v)
		}
	}
	if len(w.violations) == 0 {
		return true
	}
	t.Errorf("replay: BELFRY_TEST_SIM_SEED=%d go test -run TestSchedules ./sim", seed)
	return false
}

// worlds runs count schedules on all processors and hands each to judge, one at
// a time, until it returns false.
func worlds(first, count uint64, f func(seed uint64) faults, b broken, judge func(seed uint64, w *world) bool) {
	var (
		running sync.WaitGroup
		judging sync.Mutex
		next    atomic.Uint64
		stop    atomic.Bool
	)
	for range runtime.GOMAXPROCS(0) {
		running.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= count || stop.Load() {
					return
				}
				w := newWorld(first+i, f(first+i), b)
				w.run(steps)
				judging.Lock()
				if !stop.Load() && !judge(first+i, w) {
					stop.Store(true)
				}
				judging.Unlock()
			}
		})
	}
	running.Wait()
}

func TestTheSameSeedIsTheSameRun(t *testing.T) {
	for seed := range uint64(10) {
		a, b := newWorld(seed, schedule(seed), broken{}), newWorld(seed, schedule(seed), broken{})
		a.run(steps)
		b.run(steps)
		if a.trace.Sum64() != b.trace.Sum64() || a.summary() != b.summary() {
			t.Fatalf("seed %d: %+v and %+v", seed, a.summary(), b.summary())
		}
	}
}

// Without faults, and with workers that are stopped in order, there is no gap,
// no duplicate, and every subscription is active in time.
func TestNothingIsLostWhereNothingFails(t *testing.T) {
	for name, f := range map[string]faults{"no faults": {}, "hand-overs": {HandOver: 1}} {
		t.Run(name, func(t *testing.T) {
			worlds(first, 100, always(f), broken{}, func(seed uint64, w *world) bool {
				s := w.summary()
				if s.Gaps != 0 || s.Duplicates != 0 || s.Unavailable != 0 {
					t.Errorf("seed %d: %+v", seed, s)
				}
				return report(t, seed, w) && !t.Failed()
			})
		})
	}
}

// TestBrokenRulesAreFound shows that the account can find what it looks for,
// with few faults: gaps excuse much where there are many.
func TestBrokenRulesAreFound(t *testing.T) {
	seldom := faults{Cut: 2, Kill: 1, Seldom: true}
	for name, c := range map[string]struct {
		broken broken
		faults faults
	}{
		"acked early":                     {broken{ackEarly: true}, seldom},
		"an event missing in a batch":     {broken{loseEvent: true}, faults{}},
		"answered before the confirm":     {broken{answerEarly: true}, seldom},
		"no fence":                        {broken{noFence: true}, everything},
		"no memory of delivered events":   {broken{noMemory: true}, faults{Kill: 1}},
		"unacked messages go to the tail": {broken{requeueAtTail: true}, seldom},
	} {
		t.Run(name, func(t *testing.T) {
			found := uint64(0)
			worlds(first, 1000, always(c.faults), c.broken, func(seed uint64, w *world) bool {
				if len(w.violations) > 0 {
					found = seed - first + 1
					t.Logf("found by schedule %d: %s", found, w.violations[0])
				}
				return found == 0
			})
			if found == 0 {
				t.Error("1,000 schedules did not find it")
			}
		})
	}
}
