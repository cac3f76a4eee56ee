package directory

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"belfry/pkg/protocol"
)

var replay = flag.Uint64("directory.seed", 0, "run the model test with this seed alone")

// model simulates gateways that send messages through one queue, and compares the table
// with the gateways' own sets. Messages are refused and sent again later with the same
// revision, messages of lost links arrive late, and snapshots overtake the queue.
type model struct {
	t       *testing.T
	rnd     *rand.Rand
	table   *Table[int]
	actors  []*actor
	queue   []any               // in the shard's queue, not consumed
	waiting []protocol.Interest // refused, to be sent again
}

// actor is one gateway: its groups, and which changes the table has consumed.
type actor struct {
	id       protocol.GatewayID
	link     uint64
	revision uint64
	groups   map[protocol.Group]bool
	changed  map[protocol.Group]uint64 // revision of the last change
	consumed map[protocol.Group]uint64 // highest revision that the table has met
}

func newModel(t *testing.T, seed uint64) *model {
	m := &model{t: t, rnd: rand.New(rand.NewPCG(seed, 1)), table: New[int]()}
	for i := range 3 {
		m.actors = append(m.actors, &actor{
			id: protocol.GatewayID(fmt.Sprintf("gw-%d.x", i)), link: 1,
			groups:  map[protocol.Group]bool{},
			changed: map[protocol.Group]uint64{}, consumed: map[protocol.Group]uint64{},
		})
	}
	return m
}

func (m *model) actor() *actor { return m.actors[m.rnd.IntN(len(m.actors))] }

func (m *model) step() {
	switch n := m.rnd.IntN(100); {
	case n < 40:
		m.change(m.actor())
	case n < 75:
		m.consume()
	case n < 80 && len(m.waiting) > 0:
		m.queue = append(m.queue, m.waiting[0])
		m.waiting = m.waiting[1:]
	case n < 88:
		m.queue = append(m.queue, m.actor().heartbeat())
	case n < 92:
		m.snapshot(m.actor())
	case n < 95:
		m.relink(m.actor())
	}
	m.check()
}

// change joins and leaves some groups, as one revision.
func (m *model) change(a *actor) {
	a.revision++
	i := protocol.Interest{Stamp: stamp(a.id, a.link, a.revision)}
	for range 1 + m.rnd.IntN(3) {
		g := protocol.Group(fmt.Sprintf("g-%d", m.rnd.IntN(8)))
		if a.changed[g] == a.revision {
			continue
		}
		a.changed[g] = a.revision
		if a.groups[g] {
			delete(a.groups, g)
			i.Leave = append(i.Leave, g)
		} else {
			a.groups[g] = true
			i.Join = append(i.Join, g)
		}
	}
	if m.rnd.IntN(10) == 0 {
		m.waiting = append(m.waiting, i)
		return
	}
	m.queue = append(m.queue, i)
}

func (a *actor) heartbeat() protocol.Heartbeat {
	var groups []protocol.Group
	for g := range a.groups {
		groups = append(groups, g)
	}
	return heartbeat(a.id, a.link, a.revision, groups...)
}

// relink makes a new connection to the broker. Changes that were refused on the old one are
// announced again with a new revision, and late messages of the old one undo nothing.
func (m *model) relink(a *actor) {
	late := leaves(a.id, a.link, a.revision+1, "g-0", "g-1", "g-2")
	a.link++
	m.queue = append(m.queue, a.heartbeat(), late)
	m.waiting = slices.DeleteFunc(m.waiting, func(i protocol.Interest) bool {
		if i.Gateway != a.id {
			return false
		}
		a.revision++
		again := protocol.Interest{Stamp: stamp(a.id, a.link, a.revision)}
		for _, g := range slices.Concat(i.Join, i.Leave) {
			a.changed[g] = a.revision
			if a.groups[g] {
				again.Join = append(again.Join, g)
			} else {
				again.Leave = append(again.Leave, g)
			}
		}
		m.queue = append(m.queue, again)
		return true
	})
}

// snapshot delivers a snapshot, which overtakes the queue, in parts in any order.
func (m *model) snapshot(a *actor) {
	parts := make([]protocol.Snapshot, 1+m.rnd.IntN(3))
	for i := range parts {
		parts[i] = protocol.Snapshot{Stamp: stamp(a.id, a.link, a.revision), Part: i, Parts: len(parts)}
	}
	for g := range a.groups {
		p := &parts[m.rnd.IntN(len(parts))]
		p.Groups = append(p.Groups, g)
	}
	for _, i := range m.rnd.Perm(len(parts)) {
		m.table.Snapshot(0, parts[i])
	}
}

func (m *model) consume() {
	if len(m.queue) == 0 {
		return
	}
	next := m.queue[0]
	m.queue = m.queue[1:]
	switch v := next.(type) {
	case protocol.Heartbeat:
		m.table.Heartbeat(time.Second, v)
	case protocol.Interest:
		if m.table.Interest(time.Second, v).Gateway == nil {
			return
		}
		i := slices.IndexFunc(m.actors, func(a *actor) bool { return a.id == v.Gateway })
		for _, g := range slices.Concat(v.Join, v.Leave) {
			m.actors[i].consumed[g] = max(m.actors[i].consumed[g], v.Revision)
		}
	}
}

// check: a group whose join was consumed, and in which the gateway has had members ever
// since, must be in the table.
func (m *model) check() {
	m.t.Helper()
	check(m.t, m.table)
	for _, a := range m.actors {
		for g := range a.groups {
			if a.consumed[g] != a.changed[g] {
				continue
			}
			if row := m.table.Gateway(a.id); row == nil || !row.Holds(g) {
				m.t.Fatalf("%s has members of %s since revision %d, which was consumed, and the table does not know", a.id, g, a.changed[g])
			}
		}
	}
}

// converge consumes the whole queue, lets every gateway send a heartbeat and answers every
// request for a snapshot. Then the table must be exact.
func (m *model) converge() {
	m.t.Helper()
	for _, i := range m.waiting {
		m.queue = append(m.queue, i)
	}
	m.waiting = nil
	for len(m.queue) > 0 {
		m.consume()
	}
	for _, a := range m.actors {
		if m.table.Heartbeat(time.Second, a.heartbeat()).Ask {
			m.snapshot(a)
		}
		row := m.table.Gateway(a.id)
		if v := m.table.Heartbeat(time.Second, a.heartbeat()); v.Ask || !row.Synced() {
			m.t.Fatalf("%s does not match after its snapshot: %+v", a.id, v)
		}
		if row.Count() != len(a.groups) {
			m.t.Fatalf("%s: the table has %d groups, the gateway %d", a.id, row.Count(), len(a.groups))
		}
		for g := range a.groups {
			if !row.Holds(g) {
				m.t.Fatalf("%s: the table says it is in sync, without %s", a.id, g)
			}
		}
	}
	check(m.t, m.table)
}

func TestModel(t *testing.T) {
	runs, first := uint64(300), rand.Uint64()
	if *replay != 0 {
		runs, first = 1, *replay
	}
	for i := range runs {
		seed := first + i
		ok := t.Run("", func(t *testing.T) {
			defer func() {
				if t.Failed() {
					t.Logf("replay with -directory.seed=%d", seed)
				}
			}()
			m := newModel(t, seed)
			for range 4 {
				for range 150 {
					m.step()
				}
				m.converge()
			}
		})
		if !ok {
			return
		}
	}
}
