// Package directory records, for one shard, which gateways have members of which groups.
// It learns this from the gateways' messages in the shard's queue and from their snapshots.
//
// Vocabulary:
//
//   - A gateway is in sync if the table is known to contain all its groups: its snapshot is
//     complete, or a heartbeat matched. A gateway that is not in sync must be sent every
//     event of the shard.
//   - A change is one group joined or left at a revision. Changes of a group with an older
//     revision are ignored, and so are all messages of a lower link, so that messages which
//     arrive late from a lost connection undo nothing.
//   - The base of a gateway is the revision of its last complete snapshot, which replaces
//     everything that is not newer.
//   - A gateway without a group in the table may miss events; one with too many groups only
//     gets events that it drops. So in doubt every rule keeps a group.
//
// The package is deterministic, does no I/O and reads no clock. It is not safe for
// concurrent use: each shard has one goroutine.
package directory

import (
	"slices"
	"strings"
	"time"

	"belfry/pkg/protocol"
)

// Table is the directory of one shard. P is what the caller attaches to each gateway, such
// as its send state. Times are by the caller's clock.
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

// Reset empties the table, as at the beginning of an epoch.
func (t *Table[P]) Reset() {
	t.gateways = make(map[protocol.GatewayID]*Gateway[P])
	t.groups = make(map[protocol.Group][]*Gateway[P])
	t.list, t.unsynced = nil, nil
}

// Interested returns the gateways with members of a group, in sync or not. The slice
// belongs to the table: it is valid until the next change, and the caller must not modify
// it. Interested does not allocate.
func (t *Table[P]) Interested(g protocol.Group) []*Gateway[P] { return t.groups[g] }

// Unsynced returns the gateways that are not in sync, ordered by id. The slice belongs to
// the table, as Interested's does.
func (t *Table[P]) Unsynced() []*Gateway[P] { return t.unsynced }

// Gateways returns all gateways, ordered by id. The slice belongs to the table, as
// Interested's does.
func (t *Table[P]) Gateways() []*Gateway[P] { return t.list }

// Gateway returns the gateway with an id, or nil.
func (t *Table[P]) Gateway(id protocol.GatewayID) *Gateway[P] { return t.gateways[id] }

// Knows reports whether any gateway has members of a group. If so, its name was checked.
func (t *Table[P]) Knows(g protocol.Group) bool { return len(t.groups[g]) > 0 }

// Groups returns the number of groups of which any gateway has members.
func (t *Table[P]) Groups() int { return len(t.groups) }

// Verdict says what a message has changed, and what the caller should do.
type Verdict[P any] struct {
	Gateway *Gateway[P] // the sender; nil: the message was ignored, its link is lower
	New     bool        // the gateway was not in the table
	Blank   bool        // New, and the gateway had announced nothing before this message
	Ask     bool        // the table may be wrong: ask the gateway for a snapshot
}

// Interest applies the changes of a message from the shard's queue.
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

// Heartbeat compares the table with a gateway's count and digest of its groups. A heartbeat
// that is older than the table only shows that the gateway is alive.
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
	// A revision that is missing, because its publish was refused, may still come. Until
	// then the gateway is not in sync.
	t.setSynced(g, same)
	v.Ask = !same
	return v
}

// Bye removes a gateway that is stopping, and returns it; nil if the message was ignored.
func (t *Table[P]) Bye(m protocol.Bye) *Gateway[P] {
	g := t.gateways[m.Gateway]
	if g == nil || m.Link < g.link {
		return nil
	}
	t.Remove(g)
	return g
}

// Remove removes a gateway and all its groups.
func (t *Table[P]) Remove(g *Gateway[P]) {
	for group := range g.groups {
		t.unlist(g, group)
	}
	clear(g.groups)
	t.setSynced(g, true)
	t.list = cut(t.list, g)
	delete(t.gateways, g.ID)
}

// hear finds or adds the gateway of a stamp, and records when it was heard.
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
