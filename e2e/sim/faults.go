package sim

import (
	"slices"
	"time"
)

// fault does something bad, by the weights of the run.
func (w *world) fault() {
	total := w.faults.total()
	if total == 0 || w.faults.Seldom && w.rnd.IntN(10) > 0 {
		return
	}
	n := w.rnd.IntN(total)
	for _, f := range []struct {
		weight int
		do     func()
	}{
		{w.faults.HandOver, w.handOver},
		{w.faults.Cut, w.cut},
		{w.faults.Kill, w.kill},
		{w.faults.Freeze, w.freeze},
		{w.faults.Block, w.block},
		{w.faults.Fill, w.fill},
	} {
		if n < f.weight {
			f.do()
			return
		}
		n -= f.weight
	}
}

// betweenStops is the least time between two workers that are stopped in order.
const betweenStops = time.Second

// handOver stops a worker in order; another one is there before.
func (w *world) handOver() {
	k := w.workers[w.rnd.IntN(len(w.workers))]
	if k.frozen || w.now-w.stopped < betweenStops {
		return
	}
	w.stopped = w.now
	w.workers = append(w.workers, w.newWorker())
	w.tell("%s is stopped", k.id)
	for _, t := range k.runs {
		t.giveBack()
	}
	w.retired()
}

// retired forgets stopped workers once they have given everything back. A
// stopped one stays among the workers until then.
func (w *world) retired() {
	w.workers = slices.DeleteFunc(w.workers, func(k *worker) bool {
		for _, t := range k.runs {
			if t.up || !t.left {
				return false
			}
		}
		w.tell("%s has ended", k.id)
		w.bury(k)
		return true
	})
}

// bury ends what a worker process leaves behind.
func (w *world) bury(k *worker) {
	if k.voice != nil {
		k.voice.close()
	}
	k.dead = true
	w.broker.end(k.mail)
}

func (w *world) ghost() bool { return w.faults.Ghosts && w.rnd.IntN(2) == 0 }

// cut ends a link from outside. The process goes on until it notices.
func (w *world) cut() {
	switch n := w.rnd.IntN(10); {
	case n < 4:
		k := w.workers[w.rnd.IntN(len(w.workers))]
		t := k.runs[w.rnd.IntN(len(k.runs))]
		if !t.up {
			return
		}
		if w.rnd.IntN(2) == 0 {
			w.tell("the publishing link of %s is cut", k.id)
			t.pub.sever(w.ghost())
			return
		}
		w.tell("the consuming link of %s is cut", k.id)
		w.cutConsumer(t)
	case n < 5:
		k := w.workers[w.rnd.IntN(len(w.workers))]
		w.tell("the reply link of %s is cut", k.id)
		w.broker.end(k.mail)
		k.mail.out.leak()
		k.mailAcks.drop()
	case n < 7:
		g := w.gateways[w.rnd.IntN(len(w.gateways))]
		if g.voice != nil && !g.dead {
			w.tell("the publishing link of %s is cut", g.id)
			g.voice.sever(w.ghost())
		}
	case n < 9:
		g := w.gateways[w.rnd.IntN(len(w.gateways))]
		if sub := g.sub; sub != nil && !g.dead && !sub.ended {
			w.tell("the consuming link of %s is cut", g.id)
			w.broker.end(sub)
			g.acks.drop()
			sub.out.send(func() { g.deaf(sub) })
		}
	default:
		s := w.sources[w.rnd.IntN(len(w.sources))]
		if s.voice != nil {
			w.tell("a source's link is cut")
			s.voice.sever(w.ghost())
		}
	}
}

// cutConsumer ends a shard's consumer at the broker: the next worker is active
// at once, while this one works on with what has already arrived.
func (w *world) cutConsumer(t *turn) {
	sub, life := t.sub, t.life
	w.broker.end(sub)
	t.acks.drop()
	sub.out.send(func() { t.end(life) })
}

// kill ends a process without a word. Another one of its kind starts.
func (w *world) kill() {
	if w.rnd.IntN(3) > 0 {
		i := w.rnd.IntN(len(w.workers))
		k := w.workers[i]
		w.tell("%s is killed", k.id)
		w.workers = slices.Delete(slices.Clone(w.workers), i, i+1)
		for _, t := range k.runs {
			if t.up {
				t.pub.sever(w.ghost())
				w.broker.end(t.sub)
			}
		}
		w.bury(k)
		w.workers = append(w.workers, w.newWorker())
		return
	}
	g := w.gateways[w.rnd.IntN(len(w.gateways))]
	if g.dead {
		return
	}
	w.tell("%s is killed", g.id)
	g.dead = true
	if g.voice != nil {
		g.voice.sever(w.ghost())
	}
	if g.sub != nil {
		w.broker.end(g.sub)
	}
	for _, b := range g.browsers {
		b.disconnect()
	}
	w.gateways = append(w.gateways, w.newGateway())
}

// freeze stops a process; the broker gives it up after a while, and it wakes
// up some time later.
func (w *world) freeze() {
	if w.rnd.IntN(2) == 0 {
		if k := w.workers[w.rnd.IntN(len(w.workers))]; !k.frozen {
			w.tell("%s is frozen", k.id)
			k.frozen = true
		}
		return
	}
	if g := w.gateways[w.rnd.IntN(len(w.gateways))]; !g.frozen && !g.dead {
		w.tell("%s is frozen", g.id)
		g.frozen = true
	}
}

// wakeUp gives frozen processes up, now and then, or wakes them.
func (w *world) wakeUp() {
	for _, k := range w.workers {
		if !k.frozen {
			continue
		}
		switch w.rnd.IntN(60) {
		case 0:
			w.tell("the broker gives up %s", k.id)
			for _, t := range k.runs {
				if t.up {
					w.cutConsumer(t)
					t.pub.sever(false)
				}
			}
		case 1:
			w.tell("%s wakes up", k.id)
			k.frozen = false
		}
	}
	for _, g := range w.gateways {
		if !g.frozen || g.dead {
			continue
		}
		switch w.rnd.IntN(60) {
		case 0:
			w.tell("the broker gives up %s", g.id)
			if sub := g.sub; sub != nil && !sub.ended {
				w.broker.end(sub)
				g.acks.drop()
				sub.out.send(func() { g.deaf(sub) })
			}
			if g.voice != nil {
				g.voice.sever(false)
			}
		case 1:
			w.tell("%s wakes up", g.id)
			g.frozen = false
		}
	}
}

// block is an alarm that begins or ends.
func (w *world) block() {
	w.broker.blocked = !w.broker.blocked
	w.tell("the broker blocks publishers: %t", w.broker.blocked)
}

// fill makes a queue refuse, or take again.
func (w *world) fill() {
	queues := append(slices.Clone(w.broker.shards), w.broker.order...)
	i := w.rnd.IntN(len(queues))
	q := queues[i]
	usual := replyLimit
	if i < len(w.broker.shards) {
		usual = shardLimit
	}
	if q.limit == 0 {
		q.limit = usual
	} else {
		q.limit = 0
	}
	w.tell("queue %d holds %d", i, q.limit)
}

// heal ends all faults.
func (w *world) heal() {
	w.tell("healed")
	w.faults = faults{}
	w.broker.blocked = false
	for _, q := range w.broker.shards {
		q.limit = shardLimit
	}
	for _, q := range w.broker.order {
		q.limit = replyLimit
	}
	for _, k := range w.workers {
		k.frozen = false
	}
	for _, g := range w.gateways {
		g.frozen = false
	}
	w.now += time.Millisecond
}
