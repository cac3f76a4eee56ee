// Package directory keeps, for one shard, which gateways have members of which
// groups, as far as the shard's queue and the gateways' snapshots have told.
//
// Vocabulary:
//
//   - A gateway is in sync when the table is known to hold all it announced:
//     its snapshot is complete, or a heartbeat matched. Any other gateway is
//     to be sent every event of the shard ("flooded alone").
//   - A change is one group joined or left at a revision. A revision of the
//     same group that is not newer is ignored, and so is everything of a lower
//     link: late frames of a dead connection undo nothing.
//   - The base of a gateway is the revision of its last complete snapshot:
//     what is not newer is replaced by it.
//   - A table that is newer than the queue's position never loses an event, an
//     older one may. Every rule here errs towards too many groups.
//
// Everything is deterministic, does no I/O, reads no clock and is not safe for
// concurrent use: one shard, one goroutine.
package directory

import (
	"slices"
	"strings"
	"time"

	"belfry/pkg/protocol"
)

// Table is the directory of one shard. P is what the caller attaches to each
// gateway (its send state). Times are the caller's own clock.
type Table[P any] struct {
	gateways map[protocol.GatewayID]*Gateway[P]
	list     []*Gateway[P] // by id
	unsynced []*Gateway[P] // by id
	groups   map[protocol.Group][]*Gateway[P]
}

// New returns an empty table.
func New[P any]() *Table[P] {
	t := &Table[P]{}
	t.Reset()
	return t
}

// Reset forgets everything: a new epoch begins with an empty table.
func (t *Table[P]) Reset() {
	t.gateways = make(map[protocol.GatewayID]*Gateway[P])
	t.groups = make(map[protocol.Group][]*Gateway[P])
	t.list, t.unsynced = nil, nil
}

// Interested returns the gateways with members of a group, in sync or not. The
// slice is the table's own: it is valid until the next change and must not be
// changed. It does not allocate.
func (t *Table[P]) Interested(g protocol.Group) []*Gateway[P] { return t.groups[g] }

// Unsynced returns the gateways that must be sent everything, by id, as
// Interested returns its slice.
func (t *Table[P]) Unsynced() []*Gateway[P] { return t.unsynced }

// Gateways returns all gateways by id, as Interested returns its slice.
func (t *Table[P]) Gateways() []*Gateway[P] { return t.list }

// Gateway returns one gateway, or nil.
func (t *Table[P]) Gateway(id protocol.GatewayID) *Gateway[P] { return t.gateways[id] }

// Knows reports that some gateway has members of a group: its name was checked.
func (t *Table[P]) Knows(g protocol.Group) bool { return len(t.groups[g]) > 0 }

// Groups is the number of groups that any gateway has members of.
func (t *Table[P]) Groups() int { return len(t.groups) }

// Verdict is what the table made of a message.
type Verdict[P any] struct {
	Gateway *Gateway[P] // nil: ignored, the message is of a lower link or reign
	New     bool        // the gateway was not in the table
	Blank   bool        // New, and it had announced nothing before this message
	Ask     bool        // the table may differ: ask for a snapshot
}

// Interest applies changes consumed from the shard's queue.
func (t *Table[P]) Interest(now time.Duration, m protocol.Interest) Verdict[P] {
	v := t.hear(now, m.Stamp)
	if v.Gateway == nil {
		return v
	}
	for _, group := range m.Leave {
		t.leave(v.Gateway, group, m.Revision)
	}
	for _, group := range m.Join {
		t.join(v.Gateway, group, m.Revision)
	}
	v.Gateway.revision = max(v.Gateway.revision, m.Revision)
	v.Blank = v.New && m.Revision <= 1
	v.Ask = v.New
	return v
}

// Heartbeat compares the table with what a gateway says it must hold. One that
// is older than the table says nothing, but the gateway is alive.
func (t *Table[P]) Heartbeat(now time.Duration, m protocol.Heartbeat) Verdict[P] {
	v := t.hear(now, m.Stamp)
	g := v.Gateway
	if g == nil || m.Revision < g.revision {
		v.Ask = g != nil && !g.synced
		return v
	}
	v.Blank = v.New && m.Revision == 0
	same := m.Revision == g.revision && m.Count == len(g.groups) && m.Digest == g.digest
	if same {
		clear(g.left)
	}
	// A revision not seen (a refused publish) may still come; until then the
	// gateway gets everything.
	t.setSynced(g, same)
	v.Ask = !same
	return v
}

// Bye removes a gateway that withdrew everything, and returns it, or nil.
func (t *Table[P]) Bye(m protocol.Bye) *Gateway[P] {
	g := t.gateways[m.Gateway]
	if g == nil || m.Link < g.link {
		return nil
	}
	t.Remove(g)
	return g
}

// Remove takes a gateway and all its groups out.
func (t *Table[P]) Remove(g *Gateway[P]) {
	for group := range g.groups {
		t.unlist(g, group)
	}
	clear(g.groups)
	t.setSynced(g, true)
	t.list = cut(t.list, g)
	delete(t.gateways, g.ID)
}

// hear finds or creates the gateway of a stamp and notes that it is alive.
func (t *Table[P]) hear(now time.Duration, s protocol.Stamp) Verdict[P] {
	g := t.gateways[s.Gateway]
	fresh := g == nil
	if fresh {
		g = newGateway[P](s.Gateway)
		t.gateways[s.Gateway] = g
		t.list = insert(t.list, g)
		t.unsynced = insert(t.unsynced, g)
	}
	if s.Link < g.link {
		return Verdict[P]{}
	}
	g.link = s.Link
	g.heard = max(g.heard, now)
	return Verdict[P]{Gateway: g, New: fresh}
}

func (t *Table[P]) join(g *Gateway[P], group protocol.Group, revision uint64) {
	if revision <= g.base || revision <= g.left[group] {
		return
	}
	delete(g.left, group)
	t.hold(g, group, revision)
}

func (t *Table[P]) leave(g *Gateway[P], group protocol.Group, revision uint64) {
	held, there := g.groups[group]
	if revision <= g.base || there && revision <= held {
		return
	}
	g.left[group] = max(g.left[group], revision)
	if there {
		t.drop(g, group)
	}
}

func (t *Table[P]) hold(g *Gateway[P], group protocol.Group, revision uint64) {
	held, there := g.groups[group]
	g.groups[group] = max(held, revision)
	if !there {
		g.digest ^= protocol.Digest(group)
		t.groups[group] = append(t.groups[group], g)
	}
}

func (t *Table[P]) drop(g *Gateway[P], group protocol.Group) {
	delete(g.groups, group)
	g.digest ^= protocol.Digest(group)
	t.unlist(g, group)
}

func (t *Table[P]) unlist(g *Gateway[P], group protocol.Group) {
	if rest := cut(t.groups[group], g); len(rest) > 0 {
		t.groups[group] = rest
	} else {
		delete(t.groups, group)
	}
}

func (t *Table[P]) setSynced(g *Gateway[P], synced bool) {
	if g.synced == synced {
		return
	}
	g.synced = synced
	if synced {
		t.unsynced = cut(t.unsynced, g)
	} else {
		t.unsynced = insert(t.unsynced, g)
	}
}

func insert[P any](list []*Gateway[P], g *Gateway[P]) []*Gateway[P] {
	at, _ := slices.BinarySearchFunc(list, g.ID, func(a *Gateway[P], id protocol.GatewayID) int {
		return strings.Compare(string(a.ID), string(id))
	})
	return slices.Insert(list, at, g)
}

func cut[P any](list []*Gateway[P], g *Gateway[P]) []*Gateway[P] {
	if at := slices.Index(list, g); at >= 0 {
		return slices.Delete(list, at, at+1)
	}
	return list
}
