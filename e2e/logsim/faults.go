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

func (w *world) disturb() {
	n, g := w.anyWorker(), w.anyGateway()
	if n == nil { // the last one was killed; another is on its way
		return
	}
	kinds := 10
	if w.o.Truncate {
		kinds = 13
	}
	switch w.r.IntN(kinds) {
	case 0:
		w.say("FAULT %s is killed", n.name)
		n.kill()
		w.after(w.within(10*time.Second), w.startWorker)
	case 1:
		if n.frozen {
			return
		}
		for_ := w.within(40 * time.Second)
		w.say("FAULT %s stands still for %v", n.name, for_)
		n.frozen = true
		cut := for_ > 6*time.Second // three heartbeats
		if cut {
			w.after(6*time.Second, n.cutOff)
		}
		w.after(for_, func() {
			n.thaw()
			if cut {
				n.relink()
			}
		})
	case 2:
		w.say("FAULT %s is killed", g.name)
		w.startGateway()
		g.kill()
	case 3:
		if w.down {
			return
		}
		for_ := w.within(60 * time.Second)
		w.say("FAULT the broker is away for %v", for_)
		w.down = true
		for _, s := range w.streams {
			s.loseAll()
		}
		w.after(for_, w.brokerBack)
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
		q := w.queues[g.name]
		for_ := w.within(20 * time.Second)
		w.say("FAULT %s hears nothing for %v", g.name, for_)
		q.hold = true
		replaced := w.one(2)
		w.after(for_, func() {
			q.hold = false
			if replaced { // the queue was deleted meanwhile
				q.messages = nil
				g.input(func() { g.machine.ReplyQueueReplaced(); g.perform() })
			}
			q.serve()
		})
	case 8:
		w.say("FAULT the link of %s is lost", n.name)
		if !n.frozen {
			n.cutOff()
			w.after(w.within(2*time.Second), func() { n.input(n.relink) })
		}
	case 9:
		s := w.streams[w.r.IntN(len(w.streams))]
		w.say("FAULT the readers of log %d end", s.number)
		s.loseAll()
	case 10:
		s := w.streams[w.r.IntN(len(w.streams))]
		s.truncate()
		w.honest("retention of log %d", s.number)
	case 11:
		s := w.streams[w.r.IntN(len(w.streams))]
		s.loseEnd()
		w.honest("log %d loses its end", s.number)
	case 12:
		s := w.streams[w.r.IntN(len(w.streams))]
		s.recreate()
		w.honest("log %d is made anew", s.number)
	}
}

// honest: for a while gaps have a reason.
func (w *world) honest(format string, args ...any) {
	w.say("FAULT "+format, args...)
	w.excused = w.o.Busy + w.o.Calm
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
