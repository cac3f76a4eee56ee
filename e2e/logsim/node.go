package logsim

import (
	"fmt"
	"strconv"
	"time"

	"belfry/pkg/eventlog"
	"belfry/pkg/protocol"
	"belfry/services/worker/lead"
)

const (
	groupCount = 5
	tick       = 100 * time.Millisecond
)

func groupName(i int) string { return "jobs-" + strconv.Itoa(i) }

func shardOf(group string, shards int) int { return protocol.ShardOf(protocol.Group(group), shards) }

// id is that of an emit, and the payload of its event: JSON.
func id(n uint64) string { return strconv.FormatUint(n, 10) }

// process is what workers and gateways share: it may die, and it may stand still.
type process struct {
	w      *world
	name   string
	dead   bool
	frozen bool
	later  []func() // what came while it stood still
}

func (p *process) input(do func()) {
	switch {
	case p.dead:
	case p.frozen:
		p.later = append(p.later, do)
	default:
		do()
	}
}

func (p *process) thaw() {
	p.frozen = false
	for _, do := range p.later {
		if !p.dead {
			do()
		}
	}
	p.later = nil
}

// worker drives the machines of all logs.
type worker struct {
	process
	skew     time.Duration
	machines []*lead.Machine
	fillers  []*lead.Filler
	holders  []*holder
	marks    int
	linked   bool
	unacked  []eventlog.Fill // questions that it has not looked at
}

func (w *world) startWorker() {
	n := &worker{process: process{w: w, name: fmt.Sprintf("worker%d", len(w.workers)+1)}, skew: w.within(2 * time.Second)}
	w.workers = append(w.workers, n)
	for i := range w.streams {
		o := lead.Options{Worker: n.name, Log: i, LookBack: lookBack, Recent: 16, BatchBytes: 400, MarkID: func() string {
			n.marks++
			return fmt.Sprintf("mark %s %d", n.name, n.marks)
		}}
		n.machines = append(n.machines, lead.New(o))
		n.fillers = append(n.fillers, lead.NewFiller(o))
		n.holders = append(n.holders, w.lead[i].consume(n))
	}
	w.queues[n.name] = &replyQueue{w: w, take: func(m any) {
		n.input(func() {
			for _, machine := range n.machines {
				machine.Take(m)
			}
			n.perform()
		})
	}}
	for _, m := range n.machines {
		m.Start()
	}
	n.perform()
	n.linked = true
	w.questions.serve()
	n.tick()
}

// clock is the wall clock: an epoch long before, and as wrong as it is.
func (n *worker) clock() uint64 { return uint64((100*time.Hour + n.w.now + n.skew) / time.Millisecond) }

func (n *worker) tick() {
	if n.dead {
		return
	}
	n.w.after(tick, n.tick)
	if n.frozen || n.w.alarm {
		return
	}
	n.pass(tick)
}

// pass lets time pass; after it stood still a process sees all of that at once.
func (n *worker) pass(d time.Duration) {
	for i := range n.machines {
		n.machines[i].Tick(d)
		n.fillers[i].Tick(d)
	}
	n.perform()
}

func (n *worker) perform() {
	for i, m := range n.machines {
		for _, e := range m.Effects() {
			n.do(i, e)
		}
	}
	for i, f := range n.fillers {
		for _, e := range f.Effects() {
			n.fill(i, e)
		}
	}
}

func (n *worker) do(log int, e lead.Effect) {
	w, m := n.w, n.machines[log]
	switch e := e.(type) {
	case lead.Send:
		b, batch := e.Message.(eventlog.Batch)
		if batch {
			w.counts.Batches++
		}
		w.say("%s sends %s %T %s", n.name, e.Gateway, e.Message, brief(e.Message))
		w.publish(n.name, e.Gateway, e.Message, func(taken bool) {
			if batch {
				n.input(func() { m.Settled(e.Gateway, b.Feed, taken); n.perform() })
			}
		})
	case lead.SendAll:
		w.counts.Terms++
		w.say("%s tells all %s", n.name, brief(e.Message))
		for _, g := range w.gateways {
			w.publish(n.name, g.name, e.Message, nil)
		}
	case lead.OpenReader:
		key := readerKey{node: n.name, number: e.Reader}
		w.streams[log].open(key, e.At,
			func(x *eventlog.Entry) { n.input(func() { m.Read(e.Reader, x); n.perform() }) },
			func() { n.input(func() { m.ReaderEnded(e.Reader); n.perform() }) })
	case lead.CloseReader:
		w.streams[log].close(readerKey{node: n.name, number: e.Reader})
	case lead.WriteMark:
		if !w.down && !w.alarm {
			w.after(w.within(2*time.Millisecond), func() {
				if !w.down {
					w.streams[log].append(eventlog.Entry{Type: lead.MarkType, ID: e.ID})
				}
			})
		}
	case lead.PutBaton:
		w.lead[log].put()
	case lead.AckBaton:
		if h := n.holders[log]; h != nil && h.unack > 1 {
			h.unack--
			w.lead[log].serve()
		}
	case lead.LeaveBaton:
		w.lead[log].close(n.holders[log])
		n.holders[log] = w.lead[log].consume(n)
	}
}

func (n *worker) fill(log int, e lead.Effect) {
	w, f := n.w, n.fillers[log]
	switch e := e.(type) {
	case lead.Send:
		w.say("%s fills %s %s", n.name, e.Gateway, brief(e.Message))
		w.publish(n.name, e.Gateway, e.Message, func(taken bool) {
			if e.Batch != 0 {
				n.input(func() { f.Settled(e.Batch, taken); n.perform() })
			}
		})
	case lead.OpenReader:
		key := readerKey{node: n.name, filler: true, number: e.Reader}
		w.streams[log].open(key, e.At,
			func(x *eventlog.Entry) { n.input(func() { f.Read(e.Reader, x); n.perform() }) },
			func() { n.input(func() { f.ReaderEnded(e.Reader); n.perform() }) })
	case lead.CloseReader:
		w.streams[log].close(readerKey{node: n.name, filler: true, number: e.Reader})
	}
}

// kill ends a worker without a word; the broker notices at once, or after its
// heartbeats where it only stands still.
func (n *worker) kill() {
	n.dead = true
	delete(n.w.queues, n.name)
	n.cutOff()
}

// cutOff ends the worker's link as the broker sees it.
func (n *worker) cutOff() {
	n.linked = false
	w := n.w
	w.questions.waiting = append(n.unacked, w.questions.waiting...)
	n.unacked = nil
	w.after(w.within(5*time.Millisecond), w.questions.serve)
	for i, h := range n.holders {
		n.w.lead[i].close(h)
		n.holders[i] = nil
	}
	for _, s := range n.w.streams {
		for _, key := range append([]readerKey(nil), s.order...) {
			if key.node == n.name {
				s.lose(s.readers[key])
			}
		}
	}
}

// relink brings the link back: what hung on it is gone, and says so.
func (n *worker) relink() {
	if n.dead {
		return
	}
	for i := range n.machines {
		n.machines[i].BatonLost()
		n.w.lead[i].close(n.holders[i])
		n.holders[i] = n.w.lead[i].consume(n)
	}
	n.linked = true
	n.w.questions.serve()
	n.perform()
}

func (w *world) anyWorker() *worker {
	var alive []*worker
	for _, n := range w.workers {
		if !n.dead {
			alive = append(alive, n)
		}
	}
	if len(alive) == 0 {
		return nil
	}
	return alive[w.r.IntN(len(alive))]
}

func (w *world) anyGateway() *gateway {
	var alive []*gateway
	for _, g := range w.gateways {
		if !g.dead {
			alive = append(alive, g)
		}
	}
	return alive[w.r.IntN(len(alive))]
}

// brief is a message for the trace.
func brief(m any) string {
	switch m := m.(type) {
	case eventlog.Batch:
		ids := ""
		for _, e := range m.Events {
			ids += " " + string(e.Payload)
		}
		return fmt.Sprintf("log %d s%d r%d (%d,%d]%s", m.Log, m.Feed, m.Rev, m.From.Offset, m.To.Offset, ids)
	case eventlog.Filled:
		ids := ""
		for _, e := range m.Events {
			ids += " " + string(e.Payload)
		}
		return fmt.Sprintf("log %d (%v,%v] gap %v done %v%s", m.Log, m.From, m.To, m.Gap, m.Done, ids)
	}
	return fmt.Sprintf("%+v", m)
}
