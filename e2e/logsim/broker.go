package logsim

import (
	"fmt"
	"time"

	"belfry/pkg/eventlog"
	"belfry/pkg/protocol"
)

// lookBack is small, so that schedules reach it.
const lookBack = 64

// leadQueue is the queue of batons, with a single active consumer.
type leadQueue struct {
	w       *world
	log     int
	ready   int // at most 1: the oldest goes
	holders []*holder
	serial  uint64
}

// holder is a consumer of the lead queue, in the order of their coming.
type holder struct {
	worker *worker
	closed bool
	unack  int
}

func (q *leadQueue) put() {
	if q.w.down {
		return
	}
	q.ready = 1
	q.serve()
}

func (q *leadQueue) serve() {
	if len(q.holders) == 0 || q.ready == 0 {
		return
	}
	h := q.holders[0]
	if h.unack >= 2 {
		return
	}
	q.ready = 0
	h.unack++
	q.serial++
	baton := q.serial
	q.w.after(q.w.within(5*time.Millisecond), func() {
		if !h.closed {
			h.worker.input(func() { h.worker.machines[q.log].Baton(baton, h.worker.clock()) })
		}
	})
}

func (q *leadQueue) consume(n *worker) *holder {
	h := &holder{worker: n}
	q.holders = append(q.holders, h)
	q.w.after(q.w.within(5*time.Millisecond), q.serve)
	return h
}

// close gives what was held back to the next.
func (q *leadQueue) close(h *holder) {
	if h == nil || h.closed {
		return
	}
	h.closed = true
	for i, x := range q.holders {
		if x == h {
			q.holders = append(q.holders[:i:i], q.holders[i+1:]...)
			break
		}
	}
	if h.unack > 0 {
		q.ready = 1
	}
	q.w.after(q.w.within(5*time.Millisecond), q.serve)
}

// replyQueue is a process's queue. Messages come in the order in which the broker took
// them.
type replyQueue struct {
	w        *world
	take     func(any)
	messages []any
	busy     bool
	full     bool // it refuses
	hold     bool // its consumer is cut off: messages wait
}

// publish brings a message to a process. settled is told what the broker said, if
// it says something. What one process sends to another keeps its order, but for some
// that are sent again over another link.
func (w *world) publish(from, to string, message any, settled func(bool)) {
	if settled == nil {
		settled = func(bool) {}
	}
	if w.down || w.alarm {
		w.after(time.Second, func() { settled(false) }) // nobody knows
		return
	}
	way := from + " " + to
	arrival := max(w.now+w.within(2*time.Millisecond), w.arrivals[way])
	if w.calm || !w.one(100) {
		w.arrivals[way] = arrival
	} else {
		arrival += w.within(50 * time.Millisecond)
	}
	w.after(arrival-w.now, func() {
		q := w.queues[to]
		switch {
		case q == nil, q.full, !w.calm && w.one(200):
			w.after(w.within(2*time.Millisecond), func() { settled(false) })
			return
		}
		q.messages = append(q.messages, message)
		if !w.calm && w.one(300) { // redelivered after a lost link
			q.messages = append(q.messages, message)
		}
		q.serve()
		if !w.calm && w.one(300) {
			if w.one(2) { // it has arrived, and the verdict was lost; the other half, nobody says a word
				w.after(time.Second, func() { settled(false) })
			}
			return
		}
		w.after(w.within(2*time.Millisecond), func() { settled(true) })
	})
}

func (q *replyQueue) serve() {
	if q.busy || q.hold || len(q.messages) == 0 {
		return
	}
	m := q.messages[0]
	q.messages = q.messages[1:]
	q.busy = true
	q.w.after(q.w.within(2*time.Millisecond), func() {
		q.busy = false
		q.take(m)
		q.serve()
	})
}

// emit publishes an event; it is repeated with its id where its sender is unsure.
func (w *world) emit() {
	s := w.streams[w.r.IntN(len(w.streams))]
	group := groupName(w.r.IntN(groupCount))
	if s.number < w.o.Shards && len(w.streams) > 1 {
		s = w.streams[shardOf(group, w.o.Shards)]
	}
	w.emits++
	w.counts.Emits++
	e := eventlog.Entry{Exchange: "belfry.emit", Key: group, ID: id(w.emits), Body: []byte(id(w.emits))}
	if w.one(4) {
		w.pack(s, &e)
	}
	w.deliverEmit(s, e, 0)
}

// pack makes an entry one of several events, whose groups belong to the same log.
func (w *world) pack(s *stream, e *eventlog.Entry) {
	var p eventlog.Pack
	for i := range 1 + w.r.IntN(4) {
		group := groupName(w.r.IntN(groupCount))
		if s.number < w.o.Shards && shardOf(group, w.o.Shards) != shardOf(e.Key, w.o.Shards) {
			group = e.Key
		}
		p.Add(eventlog.Packed{Group: protocol.Group(group), Payload: []byte(packed(e.ID, i))})
	}
	e.Type, e.Key, e.Body = eventlog.PackType, "", p.Body()
}

// packed is the payload of an event of a pack.
func packed(id string, index int) string { return fmt.Sprintf("[%s,%d]", id, index) }

func (w *world) deliverEmit(s *stream, e eventlog.Entry, tries int) {
	if w.down || w.alarm { // the sender waits, and sends it again
		w.after(500*time.Millisecond, func() { w.deliverEmit(s, e, tries) })
		return
	}
	w.say("emit %s to %s%s", e.ID, e.Key, e.Type)
	s.append(e)
	if tries < 2 && w.one(12) {
		w.after(w.within(20*time.Millisecond), func() { w.deliverEmit(s, e, tries+1) })
	}
}
