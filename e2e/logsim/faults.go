package logsim

import "time"

// emitAtTimes publishes in bursts and lulls, until the calm is over.
func (w *world) emitAtTimes() {
	pause := w.within(300 * time.Millisecond)
	if w.one(30) {
		pause = 5*time.Second + w.within(20*time.Second)
	}
	if w.one(4) {
		pause = w.within(3 * time.Millisecond)
	}
	w.after(pause, func() {
		if w.now < w.o.Busy+w.o.Calm-20*time.Second {
			w.emit()
			w.emitAtTimes()
		}
	})
}

// disturbAtTimes lets something go wrong every few seconds, with lulls.
func (w *world) disturbAtTimes() {
	pause := w.within(8 * time.Second)
	if w.one(8) {
		pause += 40 * time.Second
	}
	w.after(pause, func() {
		if !w.calm {
			w.counts.Faults++
			w.disturb()
			w.disturbAtTimes()
		}
	})
}

// heartbeats is how long the broker keeps a link on which nothing comes.
const heartbeats = 6 * time.Second

// disturb lets one thing go wrong.
func (w *world) disturb() {
	n, g := w.anyWorker(), w.anyGateway()
	if n == nil { // the last one was killed; another is on its way
		return
	}
	kinds := 12
	if w.o.Truncate {
		kinds = 15
	}
	s := w.streams[w.r.IntN(len(w.streams))]
	switch w.r.IntN(kinds) {
	case 0:
		w.say("FAULT %s is killed", n.name)
		n.kill()
		w.after(w.within(10*time.Second), w.startWorker)
	case 1:
		n.freeze(w.within(40 * time.Second))
	case 2:
		w.say("FAULT %s is killed", g.name)
		w.startGateway()
		g.kill()
	case 3:
		w.brokerAway(w.within(60 * time.Second))
	case 4:
		for_ := w.within(60 * time.Second)
		w.say("FAULT an alarm of %v", for_)
		w.alarm = true
		w.after(for_, func() { w.alarm = false })
	case 5:
		q := w.queues[g.name]
		for_ := w.within(20 * time.Second)
		w.say("FAULT the queue of %s is full for %v", g.name, for_)
		q.full = true
		w.after(for_, func() { q.full = false })
	case 6:
		w.say("FAULT the queue of %s is purged", g.name)
		w.queues[g.name].messages = nil
	case 7:
		g.deafen(w.within(20*time.Second), w.one(2))
	case 8:
		w.say("FAULT the link of %s is lost", n.name)
		if !n.frozen {
			n.cutOff()
			w.after(w.within(2*time.Second), func() { n.input(n.relink) })
		}
	case 9:
		w.say("FAULT the readers of log %d end", s.number)
		s.loseAll()
	case 10:
		n.skew = w.within(2*time.Hour) - time.Hour
		w.say("FAULT the clock of %s is %v off", n.name, n.skew)
	case 11:
		g.freeze(w.within(40 * time.Second))
	case 12:
		w.say("FAULT retention of log %d", s.number)
		s.truncate()
	case 13:
		w.say("FAULT log %d loses its end", s.number)
		s.loseEnd()
	case 14:
		w.say("FAULT log %d is made anew", s.number)
		s.recreate()
	}
}

func (n *worker) freeze(for_ time.Duration) {
	w := n.w
	if n.frozen {
		return
	}
	w.say("FAULT %s stands still for %v", n.name, for_)
	n.frozen = true
	cut := for_ > heartbeats
	if cut {
		w.after(heartbeats, n.cutOff)
	}
	w.after(for_, func() {
		n.thaw()
		if n.dead {
			return
		}
		n.pass(for_)
		if cut {
			n.relink()
		}
	})
}

// freeze stops a gateway. Its reply queue goes with its link, or waits for it.
func (g *gateway) freeze(for_ time.Duration) {
	w := g.w
	if g.frozen {
		return
	}
	w.say("FAULT %s stands still for %v", g.name, for_)
	g.frozen = true
	q, replaced := w.queues[g.name], false
	if for_ > heartbeats {
		replaced = w.one(2)
		w.after(heartbeats, func() { q.hold = true })
	}
	w.after(for_, func() {
		g.thaw()
		if g.dead {
			return
		}
		g.machine.Tick(for_)
		g.perform()
		g.hears(q, replaced)
	})
}

// deafen cuts a gateway's link for a while.
func (g *gateway) deafen(for_ time.Duration, replaced bool) {
	w, q := g.w, g.w.queues[g.name]
	w.say("FAULT %s hears nothing for %v", g.name, for_)
	q.hold = true
	w.after(for_, func() { g.hears(q, replaced) })
}

// hears: the gateway consumes its queue again, or another, where its own was deleted.
func (g *gateway) hears(q *replyQueue, replaced bool) {
	q.hold = false
	if replaced {
		q.messages = nil
		g.input(func() { g.machine.ReplyQueueReplaced(); g.perform() })
	}
	q.serve()
}

func (w *world) brokerAway(for_ time.Duration) {
	if w.down {
		return
	}
	w.say("FAULT the broker is away for %v", for_)
	w.down = true
	for _, s := range w.streams {
		s.loseAll()
	}
	w.after(for_, w.brokerBack)
}

func (w *world) brokerBack() {
	w.down = false
	for _, n := range w.workers {
		if !n.dead {
			n.cutOff()
			n.input(n.relink)
		}
	}
}

// settle ends the faults.
func (w *world) settle() {
	w.calm, w.alarm = true, false
	if w.down {
		w.brokerBack()
	}
	for _, g := range w.gateways {
		if q := w.queues[g.name]; q != nil {
			q.full, q.hold = false, false
			q.serve()
		}
	}
	w.say("CALM")
}
