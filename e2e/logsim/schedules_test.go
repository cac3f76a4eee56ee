package logsim

import (
	"flag"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// forms of an installation; a schedule's seed says nothing about them.
var forms = map[string]Options{
	"faults":            {Shards: 1, Workers: 2, Gateways: 2, Clients: 6, Busy: 150 * time.Second, Calm: 120 * time.Second},
	"faults, 2 shards":  {Shards: 2, Workers: 3, Gateways: 2, Clients: 6, Busy: 100 * time.Second, Calm: 120 * time.Second},
	"far behind":        {Shards: 1, Workers: 2, Gateways: 2, Clients: 6, Busy: 150 * time.Second, Calm: 120 * time.Second, MaxLag: 50},
	"the log is broken": {Shards: 1, Workers: 2, Gateways: 2, Clients: 6, Busy: 150 * time.Second, Calm: 120 * time.Second, Truncate: true},
}

// mostBroken is after how many broken schedules a form is given up; with -failfast
// that is one, and the other forms end when they see it.
const mostBroken = 5

func failFast() bool {
	f := flag.Lookup("test.failfast")
	return f != nil && f.Value.String() == "true"
}

// number reads a variable of the environment.
func number(t *testing.T, variable string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}

// The gate plays always the same schedules. BELFRY_TEST_SIM_SCHEDULES says how many
// new ones, whose first seed is drawn and printed (or is BELFRY_TEST_SIM_FIRST).
// BELFRY_TEST_SIM_SEED plays one, with its trace.
func TestSchedules(t *testing.T) {
	count, first := number(t, "BELFRY_TEST_SIM_SCHEDULES", 15), uint64(1)
	if os.Getenv("BELFRY_TEST_SIM_SCHEDULES") != "" {
		first = number(t, "BELFRY_TEST_SIM_FIRST", rand.Uint64N(1<<48))
		t.Logf("%d schedules of each form from seed %d on", count, first)
	}
	only := os.Getenv("BELFRY_TEST_SIM_SEED")
	if only != "" {
		first, count = number(t, "BELFRY_TEST_SIM_SEED", 0), 1
	}
	var found atomic.Bool
	for name, o := range forms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o.Trace = only != ""
			var sum Counts
			bad := 0
			for seed := first; seed < first+count && bad < mostBroken && (!failFast() || !found.Load()); seed++ {
				counts, trace, err := Run(seed, o)
				if err != nil {
					bad++
					found.Store(true)
					t.Errorf("%v\n%s", err, strings.Join(trace, "\n"))
				}
				sum.add(counts)
			}
			t.Logf("%d schedules: %+v", count, sum)
			if only == "" && bad == 0 && !found.Load() && (sum.Emits == 0 || sum.Delivered == 0 || sum.Resumed == 0 || sum.Terms == 0 || sum.Fills == 0 || sum.Faults == 0) {
				t.Errorf("the schedules did not try everything: %+v", sum)
			}
			if (o.Truncate || o.MaxLag > 0) && only == "" && !found.Load() && sum.Gaps == 0 {
				t.Error("no gap was told, where there was reason for some")
			}
		})
	}
}

func (c *Counts) add(d Counts) {
	c.Emits += d.Emits
	c.Delivered += d.Delivered
	c.Answers += d.Answers
	c.Resumed += d.Resumed
	c.Gaps += d.Gaps
	c.Terms += d.Terms
	c.Batches += d.Batches
	c.Fills += d.Fills
	c.Faults += d.Faults
}
