package logline

import (
	"testing"

	"belfry/pkg/protocol"
)

// scenarios are what must cost nobody an event, an order or a gap. Each gets a line with
// two workers and two gateways and a member at each.
var scenarios = []struct {
	name string
	play func(l *line, during func(fault func()))
}{
	{"nothing happens", func(_ *line, during func(func())) {
		during(func() {})
	}},
	{"the leading worker's links are cut", func(l *line, during func(func())) {
		during(func() { l.net.cut(l.leader(0).bus) })
	}},
	{"the leading worker is gone for good", func(l *line, during func(func())) {
		during(func() {
			w := l.leader(0)
			w.dead = true
			l.net.away(w.bus)
		})
	}},
	{"the leading worker stops in order", func(l *line, during func(func())) {
		during(func() {
			w := l.leader(0)
			w.dead = true
			if err := w.leading.Stop(l.t.Context()); err != nil {
				l.t.Error(err)
			}
		})
	}},
	{"a gateway's links are cut", func(l *line, during func(func())) {
		during(func() { l.net.cut(l.gateways[0].bus) })
	}},
	{"everybody's links are cut", func(l *line, during func(func())) {
		during(func() {
			for _, w := range l.workers {
				l.net.cut(w.bus)
			}
			for _, g := range l.gateways {
				l.net.cut(g.bus)
			}
		})
	}},
	{"the broker is killed and starts again", func(l *line, during func(func())) {
		during(func() { l.net.restart(l.t) })
	}},
}

const emits = 300

// play plays a scenario: members join, the fault happens while events are emitted, and in
// the end each member has everything.
func play(t *testing.T, n network, shards int, scenario func(l *line, during func(func()))) {
	l := newLine(t, n, shards, 2, 2)
	defer l.stop()
	groups := []protocol.Group{"jobs-1", "jobs-2", "control-limit_reached_7"}
	a := l.join(l.gateways[0], groups...)
	b := l.join(l.gateways[1], groups[:2]...)
	l.emit(emits, groups...)
	scenario(l, func(fault func()) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			fault()
		}()
		l.emit(emits, groups...)
		<-done
		l.emit(emits, groups...)
	})
	l.settled(l.gateways[0], a, groups...)
	l.settled(l.gateways[1], b, groups[:2]...)

	// Afterwards groups can be changed, and what follows is delivered.
	l.change(l.gateways[1], b, groups[1:]...)
	l.emit(30, groups...)
	l.settled(l.gateways[0], a, groups...)
	l.settled(l.gateways[1], b, groups[1:]...)
	for _, g := range l.gateways {
		g.hub.judge()
	}
}
