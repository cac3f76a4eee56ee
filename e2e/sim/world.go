package sim

import (
	"fmt"
	"hash"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"belfry/pkg/protocol"
)

// epoch is the simulated wall clock's beginning.
var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// world is one run.
type world struct {
	rnd  *rand.Rand
	now  time.Duration
	tick uint64 // counts what happens, for before and after

	broker   *broker
	wires    []*wire
	workers  []*worker // those that live
	gateways []*gateway
	sources  []*source
	browsers []*browser
	events   []*event
	account  account
	expiry   time.Duration // of the emits that expire
	tempo    time.Duration // the most that passes at once: how slow everything else is
	skew     time.Duration // the most by which a worker's clock is wrong
	stopped  time.Duration // when a worker was last stopped in order
	names    int

	faults     faults
	broken     broken
	violations []string
	trace      hash.Hash64
	story      func(string) // set when one seed is replayed
}

// faults says which faults a run has. Weights are relative to each other.
type faults struct {
	HandOver int  // a worker is stopped in order, another one takes its place
	Cut      int  // a link is cut, at either end
	Kill     int  // a process ends without a word
	Freeze   int  // a process stands still, and wakes up later
	Block    int  // the broker blocks publishers
	Fill     int  // a queue is full, or no longer
	Ghosts   bool // what a cut link carried may still arrive
	Seldom   bool // one tenth as often
	Skew     bool // the clocks of workers differ by up to 40 s
}

func (f faults) total() int { return f.HandOver + f.Cut + f.Kill + f.Freeze + f.Block + f.Fill }

// broken breaks a rule, to show that the account finds it.
type broken struct {
	ackEarly      bool // deliveries are acked before their batches are confirmed
	loseEvent     bool // an event is missing in some batch
	answerEarly   bool // a subscription is answered before its interest is confirmed
	noFence       bool // batches of a lower reign are delivered
	noMemory      bool // events that were delivered are not recognised
	requeueAtTail bool // what was not acked goes to the end of the queue
}

func newWorld(seed uint64, f faults, b broken) *world {
	w := &world{rnd: rand.New(rand.NewPCG(seed, 1)), faults: f, broken: b, trace: fnv.New64a()}
	w.account.w = w
	w.expiry = time.Duration(5+w.rnd.IntN(56)) * time.Second
	w.tempo, w.skew = 30*time.Millisecond, 200*time.Millisecond
	if f.Skew {
		w.skew = 20 * time.Second
	}
	if f.total() > f.HandOver {
		w.tempo = time.Duration(20+w.rnd.IntN(400)) * time.Millisecond
	}
	w.broker = newBroker(w, 1+w.rnd.IntN(2))
	for range 1 + w.rnd.IntN(3) {
		w.workers = append(w.workers, w.newWorker())
	}
	for range 1 + w.rnd.IntN(3) {
		w.gateways = append(w.gateways, w.newGateway())
	}
	for i := range 2 + w.rnd.IntN(2) {
		s := &source{w: w, ids: i > 0}
		w.sources = append(w.sources, s)
		s.open()
	}
	for i := range 2 + w.rnd.IntN(4) {
		w.browsers = append(w.browsers, &browser{name: fmt.Sprintf("browser-%d", i), w: w})
	}
	return w
}

// next is a moment: each is after those before.
func (w *world) next() uint64 {
	w.tick++
	return w.tick
}

// reader is the worker that reads what expired.
func (w *world) reader() *worker {
	for _, k := range w.workers {
		if !k.frozen {
			return k
		}
	}
	return nil
}

// tell adds to the trace, and to the story of a replay.
func (w *world) tell(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	_, _ = fmt.Fprintf(w.trace, "%d %s\n", w.now, text)
	if w.story != nil {
		w.story(fmt.Sprintf("%8.1f s  %s", w.now.Seconds(), text))
	}
}

func (w *world) violate(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.tell("VIOLATION: %s", text)
	w.violations = append(w.violations, text)
}

// summary is what a run came to.
type summary struct{ Events, Delivered, Duplicates, Gaps, Excused, Unavailable int }

func (w *world) summary() summary {
	a := &w.account
	return summary{len(w.events), a.delivered, a.duplicates, a.declared, a.excused, a.unavailable}
}

// spoil is where batches are broken on purpose.
func (w *world) spoil(g *gateway, b *protocol.Batch) {
	if w.broken.loseEvent && w.rnd.IntN(20) == 0 && len(b.Events) > 0 {
		b.Events = b.Events[1:]
	}
	if w.broken.noMemory {
		for i := range b.Events {
			b.Events[i].ID = ""
		}
	}
	highest, known := g.cont.Reign(b.Shard)
	if w.broken.noFence && known && b.Reign.Before(highest) {
		for i := range b.Events {
			g.fanOut(&b.Events[i])
		}
	}
}
