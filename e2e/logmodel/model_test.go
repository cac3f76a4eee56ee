package logmodel

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// modelVariable is how many seconds the model may take for each search that cannot be
// finished sooner; without it the searches are small.
const modelVariable = "BELFRY_TEST_MODEL_SECONDS"

// configurations are searched whole, if there is time.
var configurations = []configuration{
	{"one event", budget{emit: 1, claim: 1, connect: 1}, 2, 1},
	{"one leader after another", budget{emit: 1, claim: 2, connect: 1}, 1, 1},
	{"a lost message", budget{emit: 1, claim: 1, connect: 1, lose: 1}, 2, 1},
	{"a refused batch", budget{emit: 1, claim: 1, connect: 1, refuse: 1}, 2, 1},
	{"a resume elsewhere", budget{emit: 1, claim: 1, connect: 2, disconnect: 1}, 2, 2},
	{"the log loses its end", budget{emit: 1, claim: 1, connect: 1, cut: 1}, 2, 1},
	{"retention", budget{emit: 1, claim: 1, connect: 1, truncate: 1}, 2, 1},
	{"an event emitted again", budget{emit: 1, again: 1, claim: 1, connect: 1}, 1, 1},
	{"two leaders", budget{emit: 2, claim: 2, connect: 1}, 1, 4},
	{"join, leave, join", budget{emit: 1, claim: 1, connect: 2, disconnect: 1, leave: 1}, 1, 4},
	{"a gateway dies", budget{emit: 1, claim: 1, connect: 2, gatewayDies: 1}, 1, 4},
	{"a leader dies, a message is lost", budget{emit: 1, claim: 2, workerDies: 1, connect: 1, lose: 1}, 1, 4},
	{"everything once", budget{emit: 1, claim: 1, connect: 1, lose: 1, refuse: 1, double: 1, overtake: 1, truncate: 1}, 1, 4},
}

// seconds says how long one search may take, and whether everything is asked for.
func seconds(t *testing.T, otherwise int) (time.Duration, bool) {
	t.Helper()
	text := os.Getenv(modelVariable)
	if text == "" {
		return time.Duration(otherwise) * time.Second, false
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s is %q: give a number of seconds", modelVariable, text)
	}
	return time.Duration(n) * time.Second, true
}

// No state of a small configuration breaks a rule.
func TestEveryState(t *testing.T) {
	limit, all := seconds(t, 20)
	most := 4_000
	if all {
		most = 1_500_000
	}
	for _, c := range configurations {
		t.Run(c.name, func(t *testing.T) {
			r := breadth(nothing, c, limit, most)
			if r.broken != "" {
				t.Fatalf("after %d states: %s", r.states, r.broken)
			}
			how := "all of them"
			if !r.whole {
				how = "cut off"
			}
			t.Logf("%d states (%s), %d steps, to depth %d; %d settled", r.states, how, r.transitions, r.depth, r.settled)
			if r.states < 100 || r.settled == 0 {
				t.Errorf("only %d states were visited, and %d settled", r.states, r.settled)
			}
		})
	}
}

// found is a schedule that broke a rule.
type found struct {
	seed  uint64
	text  string
	steps []string
}

// search plays random schedules on all processors.
func search(planted plant, schedules uint64, limit time.Duration) (uint64, *found) {
	var next, played atomic.Uint64
	var once sync.Once
	var first atomic.Pointer[found]
	var all sync.WaitGroup
	end := time.Now().Add(limit)
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			m := &model{planted: planted, only: none}
			for first.Load() == nil && time.Now().Before(end) {
				seed := next.Add(1)
				if seed > schedules {
					return
				}
				text, steps := m.schedule(seed)
				played.Add(1)
				if text != "" {
					once.Do(func() { first.Store(&found{seed, text, steps}) })
				}
			}
		})
	}
	all.Wait()
	return played.Load(), first.Load()
}

// Random schedules, longer than what can be searched whole, break no rule.
func TestRandomSchedules(t *testing.T) {
	limit, all := seconds(t, 20)
	schedules := uint64(150)
	if all {
		schedules = 1 << 40
	}
	played, bad := search(nothing, schedules, limit)
	if bad != nil {
		t.Fatalf("schedule %d: %s\n%s", bad.seed, bad.text, strings.Join(bad.steps, "\n"))
	}
	t.Logf("%d schedules of up to %d steps", played, mostSteps)
	if played < 100 {
		t.Errorf("only %d schedules were played", played)
	}
}

// The model finds every error that is planted in the rules.
func TestPlantedErrors(t *testing.T) {
	limit, all := seconds(t, 0)
	if !all {
		t.Skip("make model searches for minutes")
	}
	for p := nothing + 1; p < plants; p++ {
		t.Run(names[p], func(t *testing.T) {
			played, bad := search(p, 1<<40, limit)
			switch {
			case bad != nil:
			case harmless[p] != "":
				t.Logf("%d schedules did not find it: %s", played, harmless[p])
				return
			case slices.ContainsFunc(scripts, func(x script) bool { return x.planted == p }):
				t.Logf("%d schedules did not find it; a script does", played)
				return
			default:
				t.Fatalf("%d schedules did not find it", played)
			}
			t.Logf("found after %d schedules, in %d steps: %s", played, len(bad.steps), bad.text)
		})
	}
}

// A schedule is played again to the letter.
func TestSchedulesAreRepeatable(t *testing.T) {
	for seed := range uint64(20) {
		m, n := &model{only: none}, &model{only: none}
		a, stepsA := m.schedule(seed)
		b, stepsB := n.schedule(seed)
		if a != b || fmt.Sprint(stepsA) != fmt.Sprint(stepsB) {
			t.Fatalf("schedule %d was played in two ways", seed)
		}
	}
}
