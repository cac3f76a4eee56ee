package router

import (
	"flag"
	"fmt"
	"slices"
	"strconv"
	"testing"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

var replay = flag.Uint64("router.seed", 0, "run the random test with this seed alone")

// fake is a gateway by the rules: it fences, numbers, finds holes, knows
// duplicates, answers. It keeps the account of what it is owed.
type fake struct {
	id       protocol.GatewayID
	revision uint64
	groups   map[protocol.Group]bool
	full     bool // its reply queue refuses
	dead     bool // its reply queue is gone

	reign         protocol.Reign
	direct, flood uint64
	refused       bool // somebody, since the reign began: what he sent may have been acked
	answers       []any

	owed    map[int]protocol.Group // events neither met nor excused by a gap
	met     map[int]bool
	last    map[protocol.Group]int // the last event met
	excused map[int]bool
	early   []string // out of order, and not excused by a gap
	gaps    int
	doubles int
	wrong   []string
	story   func(format string, args ...any)
}

func newFake(id protocol.GatewayID) *fake {
	return &fake{
		id: id, groups: map[protocol.Group]bool{},
		owed: map[int]protocol.Group{}, met: map[int]bool{}, last: map[protocol.Group]int{}, excused: map[int]bool{},
	}
}

func (g *fake) stamp() protocol.Stamp {
	return protocol.Stamp{Gateway: g.id, Link: 1, Revision: g.revision}
}

func (g *fake) change(group protocol.Group) protocol.Interest {
	g.revision++
	if g.groups[group] {
		delete(g.groups, group)
		for event, of := range g.owed {
			if of == group {
				delete(g.owed, event)
			}
		}
		return protocol.Interest{Stamp: g.stamp(), Leave: []protocol.Group{group}}
	}
	g.groups[group] = true
	return protocol.Interest{Stamp: g.stamp(), Join: []protocol.Group{group}}
}

func (g *fake) heartbeat() protocol.Heartbeat {
	h := protocol.Heartbeat{Stamp: g.stamp(), Count: len(g.groups)}
	for group := range g.groups {
		h.Digest ^= protocol.Digest(group)
	}
	return h
}

// receive takes a message into the reply queue, and consumes it.
func (g *fake) receive(m amqpbus.Message) error {
	if g.full {
		return fmt.Errorf("publish: %w", amqpbus.ErrRefused)
	}
	switch m.Type {
	case protocol.TypeAsk:
		ask, _ := protocol.Decode[protocol.Ask](m.Body)
		if g.accepts(ask.Reign) {
			g.answers = append(g.answers, g.snapshot(ask.Reign)...)
		}
	case protocol.TypePulse:
		p, _ := protocol.Decode[protocol.Pulse](m.Body)
		if g.accepts(p.Reign) && (!p.All && p.Direct > g.direct || p.Flood > g.flood) {
			g.gap()
			g.direct, g.flood = max(g.direct, p.Direct), max(g.flood, p.Flood)
		}
	case protocol.TypeGap:
		g.gap()
	case protocol.TypeBatch:
		b, err := protocol.DecodeBatch(m.Body)
		if err != nil {
			g.wrong = append(g.wrong, err.Error())
		} else if g.accepts(b.Reign) {
			g.batch(b)
		}
	}
	return nil
}

// snapshot is in two parts, the second one first.
func (g *fake) snapshot(reign protocol.Reign) []any {
	parts := []protocol.Snapshot{{Part: 1}, {Part: 0}}
	for i := range parts {
		parts[i].Stamp, parts[i].Reign, parts[i].Parts = g.stamp(), reign, 2
	}
	i := 0
	for group := range g.groups {
		parts[i%2].Groups = append(parts[i%2].Groups, group)
		i++
	}
	return []any{parts[0], parts[1]}
}

// accepts is the fence (R2).
func (g *fake) accepts(reign protocol.Reign) bool {
	if reign.Before(g.reign) {
		g.story("%s refuses epoch %d of %s", g.id, reign.Epoch, reign.Worker)
		g.refused = true
		g.answers = append(g.answers, protocol.Stale{Gateway: g.id, Refused: reign, Highest: g.reign})
		return false
	}
	if g.reign.Before(reign) {
		g.story("%s accepts epoch %d of %s", g.id, reign.Epoch, reign.Worker)
		if g.refused {
			g.gap()
		}
		g.reign, g.direct, g.flood, g.refused = reign, 0, 0, false
	}
	return true
}

func (g *fake) batch(b protocol.Batch) {
	number := &g.direct
	if b.Mode == protocol.ModeFlood {
		number = &g.flood
	}
	switch {
	case b.Sequence <= *number:
		g.wrong = append(g.wrong, fmt.Sprintf("number %d of mode %d came twice", b.Sequence, b.Mode))
		return
	case b.Sequence > *number+1:
		g.gap()
	}
	*number = b.Sequence
	g.story("%s takes batch %d/%d of %d events from %s", g.id, b.Mode, b.Sequence, b.Epoch, b.Events[0].ID)
	for _, e := range b.Events {
		g.event(e)
	}
}

func (g *fake) event(e protocol.Event) {
	n, _ := strconv.Atoi(e.ID)
	_, owed := g.owed[n]
	switch {
	case g.met[n]:
		g.doubles++
		return
	case owed && g.last[e.Group] > n:
		g.early = append(g.early, fmt.Sprintf("event %d of %s came after %d", n, e.Group, g.last[e.Group]))
	}
	g.met[n] = true
	delete(g.owed, n)
	if g.groups[e.Group] && !g.excused[n] {
		g.last[e.Group] = n
	}
}

// gap excuses everything that was owed.
func (g *fake) gap() {
	g.gaps++
	g.story("%s declares a gap", g.id)
	for n := range g.owed {
		g.excused[n] = true
		delete(g.owed, n)
	}
	g.early = nil
}

func (g *fake) check(t *testing.T) {
	t.Helper()
	for _, text := range append(g.wrong, g.early...) {
		t.Errorf("%s: %s", g.id, text)
	}
	if len(g.owed) == 0 {
		return
	}
	var missing []int
	for n := range g.owed {
		missing = append(missing, n)
	}
	slices.Sort(missing)
	t.Errorf("%s never got the events %v, and no gap was declared", g.id, missing)
}
