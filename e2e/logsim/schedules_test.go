package logsim

import (
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// forms of an installation; a schedule's seed says nothing about them.
var forms = map[string]Options{
	"faults":            {Shards: 1, Workers: 2, Gateways: 2, Clients: 6, Busy: 150 * time.Second, Calm: 120 * time.Second},
	"faults, 2 shards":  {Shards: 2, Workers: 3, Gateways: 2, Clients: 6, Busy: 100 * time.Second, Calm: 120 * time.Second},
	"the log is broken": {Shards: 1, Workers: 2, Gateways: 2, Clients: 6, Busy: 150 * time.Second, Calm: 120 * time.Second, Truncate: true},
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
	for name, o := range forms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o.Trace = only != ""
			var sum Counts
			for seed := first; seed < first+count; seed++ {
				counts, trace, err := Run(seed, o)
				if err != nil {
					t.Fatalf("%v\n%s", err, strings.Join(trace, "\n"))
				}
				sum.add(counts)
			}
			t.Logf("%d schedules: %+v", count, sum)
			if only == "" && (sum.Emits == 0 || sum.Delivered == 0 || sum.Resumed == 0 || sum.Terms == 0 || sum.Fills == 0 || sum.Faults == 0) {
				t.Errorf("the schedules did not try everything: %+v", sum)
			}
			if o.Truncate && only == "" && sum.Gaps == 0 {
				t.Error("no gap was told, where logs were broken")
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
