package follow

import (
	"slices"
	"time"

	"belfry/pkg/protocol"
)

// tick lets time pass for a log.
func (l *log) tick(d time.Duration) {
	for what := range l.throttled {
		l.throttled[what] += d
	}
	l.window.age(d)
	l.linger(d)
	if l.life += d; l.life >= lifeEvery {
		l.life = 0
		l.send(l.alive())
	}
	l.quiet += d
	if before := l.noRoute; before < routeLost {
		if l.noRoute += d; l.noRoute >= routeLost {
			l.emit(CloseAll{Log: l.number})
		}
	}
	switch {
	case l.leader.IsNone():
		if l.who += d; l.who >= askAgain {
			l.who = 0
			l.emit(SendAll{Message: l.whoLeads()})
		}
	case l.quiet >= max(silence, l.patience): // nobody speaks here any more
		l.leader.Worker, l.leader.Term, l.who = "", 0, 0
		l.emit(SendAll{Message: l.whoLeads()})
	case l.asked && l.quiet >= l.patience: // the hello was heard, or not, and nothing comes
		l.patience = min(2*l.patience, mostPatience)
		l.begin(true)
	}
}

// linger leaves the groups that have had no members for long enough.
func (l *log) linger(d time.Duration) {
	var over []protocol.Group
	for g, i := range l.lingering {
		if i.alone += d; i.alone >= l.o.Linger {
			over = append(over, g)
		}
	}
	if len(over) == 0 {
		return
	}
	slices.Sort(over)
	for _, g := range over {
		l.drop(g)
	}
	l.sendChange()
}
