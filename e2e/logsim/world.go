package logsim

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"
)

// world is virtual time and everything in it.
type world struct {
	seed   uint64
	r      *rand.Rand
	now    time.Duration
	events schedule
	serial uint64

	o        Options
	streams  []*stream
	lead     []*leadQueue
	workers  []*worker
	gateways []*gateway
	clients  []*client
	queues   map[string]*replyQueue
	arrivals map[string]time.Duration // when the last message of a way comes
	calm     bool                     // no more faults: everything must come right
	down     bool                     // the broker is
	alarm    bool                     // it blocks publishers
	emits    uint64
	excused  time.Duration // until then a gap needs no other reason
	trace    []string
	fault    string // what a rule broke; the run ends
	counts   Counts
}

// Counts say how much a run did, so that a run that did nothing is noticed.
type Counts struct {
	Emits, Delivered, Answers, Resumed, Gaps, Terms, Batches, Fills, Faults int
}

// Options of a run.
type Options struct {
	Shards   int // of the installation
	Workers  int
	Gateways int
	Clients  int
	Busy     time.Duration // with faults
	Calm     time.Duration // after it
	Truncate bool          // retention, lost ends, a log made anew: gaps are honest then
	Trace    bool
}

func newWorld(seed uint64, o Options) *world {
	w := &world{seed: seed, r: rand.New(rand.NewPCG(seed, 1)), o: o, queues: map[string]*replyQueue{}, arrivals: map[string]time.Duration{}}
	logs := 1
	if o.Shards > 1 {
		logs = o.Shards + 1
	}
	for i := range logs {
		w.streams = append(w.streams, &stream{w: w, number: i, readers: map[readerKey]*cursorReader{}})
		w.lead = append(w.lead, &leadQueue{w: w, log: i})
	}
	return w
}

// event is something that happens at a time.
type event struct {
	at     time.Duration
	serial uint64
	do     func()
}

type schedule []event

func (s schedule) Len() int { return len(s) }
func (s schedule) Less(i, j int) bool {
	return s[i].at < s[j].at || s[i].at == s[j].at && s[i].serial < s[j].serial
}
func (s schedule) Swap(i, j int) { s[i], s[j] = s[j], s[i] }
func (s *schedule) Push(x any)   { *s = append(*s, x.(event)) }
func (s *schedule) Pop() any {
	old := *s
	x := old[len(old)-1]
	old[len(old)-1] = event{}
	*s = old[:len(old)-1]
	return x
}

// after does something a while from now.
func (w *world) after(d time.Duration, do func()) {
	w.serial++
	heap.Push(&w.events, event{w.now + d, w.serial, do})
}

// within draws a time from 0 to d.
func (w *world) within(d time.Duration) time.Duration {
	return time.Duration(w.r.Int64N(int64(d) + 1))
}

// one reports true once in n times.
func (w *world) one(n int) bool { return w.r.IntN(n) == 0 }

func (w *world) say(format string, args ...any) {
	if w.o.Trace {
		w.trace = append(w.trace, fmt.Sprintf("%9.3f ", w.now.Seconds())+fmt.Sprintf(format, args...))
	}
}

// broken notes what a rule broke first.
func (w *world) broken(format string, args ...any) {
	if w.fault == "" {
		w.fault = fmt.Sprintf("%.3f s: ", w.now.Seconds()) + fmt.Sprintf(format, args...)
		w.say("BROKEN %s", w.fault)
	}
}

// until runs what happens up to a time.
func (w *world) until(end time.Duration) {
	for w.fault == "" && len(w.events) > 0 && w.events[0].at <= end {
		e := heap.Pop(&w.events).(event)
		w.now = e.at
		e.do()
	}
	w.now = max(w.now, end)
}

// Run plays the schedule of a seed and returns what it broke, if anything, and the
// trace where one was asked for.
func Run(seed uint64, o Options) (Counts, []string, error) {
	w := newWorld(seed, o)
	for range o.Workers {
		w.startWorker()
	}
	for range o.Gateways {
		w.startGateway()
	}
	for range o.Clients {
		w.addClient()
	}
	w.emitAtTimes()
	w.disturbAtTimes()
	w.until(o.Busy)
	w.settle()
	w.until(o.Busy + o.Calm)
	if w.fault == "" {
		w.check()
	}
	if w.fault != "" {
		return w.counts, w.trace, fmt.Errorf("seed %d: %s", seed, w.fault)
	}
	return w.counts, w.trace, nil
}
