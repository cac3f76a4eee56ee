package logsim

import (
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

// BELFRY_TEST_SIM_SCHEDULES says how many, BELFRY_TEST_SIM_SEED which one alone, with
// its trace.
func TestSchedules(t *testing.T) {
	count, first := 40, uint64(1)
	if text := os.Getenv("BELFRY_TEST_SIM_SCHEDULES"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("BELFRY_TEST_SIM_SCHEDULES: %v", err)
		}
		count = n
	}
	only := os.Getenv("BELFRY_TEST_SIM_SEED")
	if only != "" {
		n, err := strconv.ParseUint(only, 10, 64)
		if err != nil {
			t.Fatalf("BELFRY_TEST_SIM_SEED: %v", err)
		}
		first, count = n, 1
	}
	for name, o := range forms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o.Trace = only != ""
			var sum Counts
			for seed := first; seed < first+uint64(count); seed++ {
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
