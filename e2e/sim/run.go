package sim

import "time"

// run is a schedule of so many steps, then everything is healed and comes to
// rest, and the account is closed.
func (w *world) run(steps int) {
	for range steps {
		w.step()
		if len(w.violations) > 0 {
			return
		}
	}
	w.settle()
	w.account.close()
	w.tell("end: %+v", w.summary())
}

// step does one thing.
func (w *world) step() {
	switch n := w.rnd.IntN(100); {
	case n < 14:
		w.sources[w.rnd.IntN(len(w.sources))].emit()
	case n < 60:
		w.progress(1 + w.rnd.IntN(8))
	case n < 78:
		w.deliver(1 + w.rnd.IntN(8))
	case n < 88:
		w.pass(1 + time.Duration(w.rnd.Int64N(int64(w.tempo))))
	case n < 93:
		w.browse(w.browsers[w.rnd.IntN(len(w.browsers))])
	case n < 97:
		w.gateways[w.rnd.IntN(len(w.gateways))].wake()
	default:
		w.fault()
	}
}

// wake lets a gateway publish at once what waits.
func (g *gateway) wake() {
	if !g.frozen && !g.dead {
		g.announce()
	}
}

// progress lets frames of some wire arrive.
func (w *world) progress(n int) {
	if len(w.wires) == 0 {
		return
	}
	start := w.rnd.IntN(len(w.wires))
	for i := range w.wires {
		l := w.wires[(start+i)%len(w.wires)]
		if !l.open() {
			continue
		}
		for ; n > 0 && l.open(); n-- {
			l.arrive()
		}
		return
	}
}

// deliver lets the broker send from some queue.
func (w *world) deliver(n int) {
	queues := len(w.broker.shards) + len(w.broker.order)
	i := w.rnd.IntN(queues)
	if i < len(w.broker.shards) {
		w.broker.deliver(w.broker.shards[i], n)
		return
	}
	w.broker.deliver(w.broker.order[i-len(w.broker.shards)], n)
}

// pass lets time go by.
func (w *world) pass(d time.Duration) {
	w.now += d
	w.prune()
	for _, k := range w.workers {
		if !k.frozen {
			k.tick()
		}
	}
	for _, g := range w.gateways {
		if !g.frozen && !g.dead {
			g.tick()
		}
	}
	for _, s := range w.sources {
		if s.voice == nil && w.now >= s.again {
			s.open()
		}
	}
	w.broker.age()
	w.wakeUp()
	w.retired()
}

// browse is something that a browser does.
func (w *world) browse(b *browser) {
	switch {
	case b.at == nil:
		b.connect()
	case b.at.frozen:
	case w.rnd.IntN(10) == 0:
		b.disconnect()
	default:
		b.ask()
	}
}

// settle ends the faults and lets everything come to rest.
func (w *world) settle() {
	w.heal()
	for range 700 {
		w.pass(200 * time.Millisecond)
		w.flow()
		if len(w.violations) > 0 {
			return
		}
	}
	w.atRest()
}

// flow lets everything arrive that can.
func (w *world) flow() {
	for range 1000 {
		moved := false
		for _, q := range append(w.broker.shards[:len(w.broker.shards):len(w.broker.shards)], w.broker.order...) {
			w.broker.deliver(q, 50)
		}
		for i := 0; i < len(w.wires); i++ { // arriving frames may add wires
			for l := w.wires[i]; l.open(); {
				l.arrive()
				moved = true
			}
		}
		for _, g := range w.gateways {
			g.wake()
		}
		if !moved {
			return
		}
	}
	w.violate("it does not come to rest")
}

// atRest holds what must be so when nothing has happened for long.
func (w *world) atRest() {
	for i, q := range w.broker.shards {
		waiting := len(q.ready)
		for _, s := range q.consumers {
			waiting += len(s.unacked)
		}
		if waiting > 0 {
			w.violate("%d messages of shard %d are not acked", waiting, i)
		}
	}
	if n := len(w.broker.expired); n > 0 {
		w.violate("%d expired emits were not told", n)
	}
	live := 0
	for _, g := range w.gateways {
		if !g.dead {
			live++
		}
	}
	for shard := range w.broker.shards {
		reigns := 0
		for _, k := range w.workers {
			core := k.runs[shard].core
			if _, reigning := core.Reign(); !reigning {
				continue
			}
			reigns++
			s := core.Stats()
			if s.Flooding || s.Lagging != 0 || s.Unsynced != 0 || s.Gateways != live {
				w.violate("%s on shard %d did not come to rest: %+v, %d gateways live", k.id, shard, s, live)
			}
		}
		if reigns != 1 {
			w.violate("%d workers reign over shard %d", reigns, shard)
		}
	}
	for _, s := range w.sources {
		if len(s.window) > 0 {
			w.violate("%d emits have no outcome", len(s.window))
		}
	}
	for _, g := range w.gateways {
		if len(g.joins) > 0 && !g.dead {
			w.violate("%d browsers of %s wait for their groups", len(g.joins), g.id)
		}
	}
}
