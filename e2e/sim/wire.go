package sim

// wire is one direction of a connection: frames arrive in order, when the
// schedule lets them.
type wire struct {
	to     *process // who must be awake for a frame to arrive; nil: the broker
	pub    *broker  // set on a publishing channel: an alarm halts it (R11)
	frames []func()
	cut    bool // what is sent is lost
}

// wire makes a wire to a process, or to the broker.
func (w *world) wire(to *process) *wire {
	l := &wire{to: to}
	w.wires = append(w.wires, l)
	return l
}

func (l *wire) send(frame func()) {
	if !l.cut {
		l.frames = append(l.frames, frame)
	}
}

// drop cuts the wire; what is on its way is lost.
func (l *wire) drop() { l.cut, l.frames = true, nil }

// leak cuts the wire; what is on its way still arrives.
func (l *wire) leak() { l.cut = true }

// open reports that a frame could arrive now.
func (l *wire) open() bool {
	return len(l.frames) > 0 && (l.to == nil || !l.to.frozen && !l.to.dead) && (l.pub == nil || !l.pub.blocked)
}

// arrive lets the next frame arrive.
func (l *wire) arrive() {
	frame := l.frames[0]
	l.frames = l.frames[1:]
	frame()
}

// process is what can be frozen or killed as a whole.
type process struct {
	name   string
	frozen bool
	dead   bool
}

// prune forgets the wires that nothing can arrive on any more.
func (w *world) prune() {
	kept := w.wires[:0]
	for _, l := range w.wires {
		if l.to != nil && l.to.dead {
			l.drop()
		}
		if !l.cut || len(l.frames) > 0 {
			kept = append(kept, l)
		}
	}
	clear(w.wires[len(kept):])
	w.wires = kept
}
