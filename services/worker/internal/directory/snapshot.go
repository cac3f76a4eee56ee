package directory

import (
	"time"

	"belfry/pkg/protocol"
)

// maxParts is the largest number of parts of a snapshot. At a few thousand groups each it
// is far more than a gateway can need.
const maxParts = 10_000

// assembly collects the parts of one snapshot, in any order.
type assembly struct {
	stamp protocol.Stamp
	reign protocol.Reign
	parts [][]protocol.Group
	seen  []bool
	have  int
}

// Snapshot applies one part of a snapshot of a gateway's interest. The caller has checked
// that it answers the current reign, so that it is newer than everything an earlier reign
// has consumed. now is used only if the gateway is not in the table yet.
func (t *Table[P]) Snapshot(now time.Duration, m protocol.Snapshot) Verdict[P] {
	if m.Parts < 1 || m.Parts > maxParts || m.Part < 0 || m.Part >= m.Parts {
		return Verdict[P]{}
	}
	if g := t.gateways[m.Gateway]; g != nil && (m.Link < g.link || m.Revision < g.base) {
		return Verdict[P]{}
	}
	v := t.known(now, m.Stamp)
	g := v.Gateway
	if !g.parts.add(m) {
		return v
	}
	t.rebase(g, g.parts)
	g.parts = assembly{}
	t.setSynced(g, true)
	return v
}

// known is hear for a message that did not come through the queue: it does not show that
// the gateway can still publish there, so it does not change when it was last heard.
func (t *Table[P]) known(now time.Duration, s protocol.Stamp) Verdict[P] {
	if g := t.gateways[s.Gateway]; g != nil {
		return Verdict[P]{Gateway: g}
	}
	// The link stays 0 until a message in the queue says it. Messages of an older link
	// may still be in the queue; groups that they add do no harm.
	return t.hear(now, protocol.Stamp{Gateway: s.Gateway})
}

// add adds a part and reports whether the snapshot is complete. A part of a newer snapshot
// starts that one; a part of an older one is dropped.
func (a *assembly) add(m protocol.Snapshot) bool {
	same := a.stamp == m.Stamp && a.reign == m.Reign && len(a.parts) == m.Parts
	if !same {
		if a.parts != nil && m.Revision < a.stamp.Revision {
			return false
		}
		*a = assembly{stamp: m.Stamp, reign: m.Reign, parts: make([][]protocol.Group, m.Parts), seen: make([]bool, m.Parts)}
	}
	if a.seen[m.Part] {
		return false
	}
	a.seen[m.Part], a.parts[m.Part] = true, m.Groups
	a.have++
	return a.have == len(a.parts)
}

// rebase replaces the gateway's groups by those of the snapshot, and keeps changes that are
// newer than the snapshot.
func (t *Table[P]) rebase(g *Gateway[P], a assembly) {
	base := a.stamp.Revision
	in := make(map[protocol.Group]struct{})
	for _, part := range a.parts {
		for _, group := range part {
			in[group] = struct{}{}
			if g.left[group] <= base {
				t.hold(g, group, base)
			}
		}
	}
	for group, revision := range g.groups {
		if _, held := in[group]; !held && revision <= base {
			t.drop(g, group)
		}
	}
	for group, revision := range g.left {
		if revision <= base {
			delete(g.left, group)
		}
	}
	g.base, g.revision = base, max(g.revision, base)
}
