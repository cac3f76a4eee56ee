package logsim

import (
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

	o         Options
	streams   []*stream
	lead      []*leadQueue
	workers   []*worker
	gateways  []*gateway
	clients   []*client
	queues    map[string]*replyQueue
	questions *questionQueue
	arrivals  map[string]time.Duration // when the last message of a way comes
	calm      bool                     // no more faults: everything must come right
	down      bool                     // the broker is
	alarm     bool                     // it blocks publishers
	emits     uint64
	trace     []string
	fault     string // what a rule broke; the run ends
	counts    Counts
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
	MaxLag   int64         // entries behind which a gateway goes on at the end: gaps are honest then; 0: the default
	Trace    bool
}

func newWorld(seed uint64, o Options) *world {
	w := &world{seed: seed, r: rand.New(rand.NewPCG(seed, 1)), o: o, queues: map[string]*replyQueue{}, arrivals: map[string]time.Duration{}}
	w.questions = &questionQueue{w: w}
	w.queues[anyWorker] = &replyQueue{w: w, take: w.questions.put}
	logs := 1
	if o.Shards > 1 {
		logs = o.Shards + 1
	}
	for i := range logs {
		w.streams = append(w.streams, &stream{w: w, number: i, last: map[string]int64{}, readers: map[readerKey]*cursorReader{}})
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

func (e *event) before(f *event) bool { return e.at < f.at || e.at == f.at && e.serial < f.serial }

// schedule is a heap: what comes first stands in front.
type schedule []event

func (s *schedule) push(e event) {
	all := append(*s, e)
	i := len(all) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !e.before(&all[up]) {
			break
		}
		all[i] = all[up]
		i = up
	}
	all[i] = e
	*s = all
}

func (s *schedule) pop() event {
	all := *s
	first, last := all[0], all[len(all)-1]
	all[len(all)-1] = event{}
	all = all[:len(all)-1]
	*s = all
	i := 0
	for 2*i+1 < len(all) {
		down := 2*i + 1
		if down+1 < len(all) && all[down+1].before(&all[down]) {
			down++
		}
		if !all[down].before(&last) {
			break
		}
		all[i] = all[down]
		i = down
	}
	if len(all) > 0 {
		all[i] = last
	}
	return first
}

// after does something a while from now.
func (w *world) after(d time.Duration, do func()) {
	w.serial++
	w.events.push(event{w.now + d, w.serial, do})
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
		e := w.events.pop()
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
