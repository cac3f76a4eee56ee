package logline

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/membus"
)

// seedsVariable says how many schedules of faults TestSeeds plays.
const seedsVariable = "BELFRY_TEST_SIM_SCHEDULES"

// faulty plays faults that a seed draws, one after the other, for a time.
type faulty struct {
	*twin
	l *line
	r *rand.Rand
}

func (f *faulty) wait(most time.Duration) {
	timer := time.NewTimer(time.Duration(f.r.Int64N(int64(most))))
	<-timer.C
}

// bus draws a process.
func (f *faulty) bus() amqpbus.Bus {
	n := f.r.IntN(len(f.l.workers) + len(f.l.gateways))
	if n < len(f.l.workers) {
		return f.l.workers[n].bus
	}
	return f.l.gateways[n-len(f.l.workers)].bus
}

// calm lets everybody find back: connections are closed after 30 s without a leader, and
// that is nobody's loss.
func (f *faulty) calm() {
	timer := time.NewTimer(15 * time.Second)
	<-timer.C
}

// strike does one thing that must cost nobody an event.
func (f *faulty) strike() {
	core := f.broker.Core()
	log := amqpbus.LogQueue(f.l.layout.Shards, f.r.IntN(amqpbus.Logs(f.l.layout.Shards)))
	switch f.r.IntN(12) {
	case 0:
		f.broker.CutBus(f.bus())
	case 1:
		f.broker.CutPublishing(f.bus())
	case 2:
		f.broker.CutConsuming(f.bus())
	case 3:
		f.broker.CutReading(f.l.workers[f.r.IntN(len(f.l.workers))].bus)
	case 4: // a process is away for less than its connections are closed for
		b := f.bus()
		f.broker.Disconnect(b)
		f.wait(20 * time.Second)
		f.broker.Reconnect(b)
		f.calm()
	case 5:
		f.broker.Block("memory")
		f.wait(4 * time.Minute)
		f.broker.Unblock()
	case 6:
		f.broker.Down()
		f.wait(20 * time.Second)
		f.broker.Up()
		f.calm()
	case 7: // readers hang without a word
		core.EndReaders(log, nil)
	case 8:
		core.EndReaders(log, amqpbus.ErrLogGone)
	case 9: // a node boots: what is published has no route
		core.HideLog(log, true)
		f.wait(3 * time.Second)
		core.HideLog(log, false)
	case 10: // an operator deletes a reply queue
		core.Delete(amqpbus.ReplyQueue(fmt.Sprintf("gateway%d.x", 1+f.r.IntN(len(f.l.gateways)))))
	case 11: // publishes are refused now and then
		n := 2 + f.r.IntN(8)
		f.broker.SetPublishHook(func(string, amqpbus.Message) membus.Fate {
			if rand.IntN(n) == 0 {
				return membus.FateRefuse
			}
			return membus.FatePass
		})
		f.wait(20 * time.Second)
		f.broker.SetPublishHook(nil)
		f.calm()
	}
}

// TestSeeds plays the whole line, drivers included, over the twin with faults from
// seeds: every member has every event once and in order, and nobody is told of a gap.
func TestSeeds(t *testing.T) {
	seeds := 12
	if text := os.Getenv(seedsVariable); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("%s: %v", seedsVariable, err)
		}
		seeds = n
	}
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &faulty{twin: &twin{membus.New()}, r: rand.New(rand.NewPCG(seed, 7))}
				f.broker.Core().ShapeLogs(membus.LogShape{SegmentEntries: 20 + f.r.IntN(200)})
				shards := 1 + 2*f.r.IntN(2)
				play(t, f, shards, func(l *line, during func(func())) {
					f.l = l
					during(func() {
						for range 3 + f.r.IntN(8) {
							f.wait(3 * time.Second)
							f.strike()
						}
					})
				})
			})
		})
	}
}
