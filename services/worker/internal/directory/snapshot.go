package directory

import (
	"time"

	"belfry/pkg/protocol"
)

// maxParts bounds the parts of a snapshot: at a few thousand groups each, far
// more than a gateway can have members of.
const maxParts = 10_000

// assembly collects the parts of one snapshot, in any order.
type assembly struct {
	stamp protocol.Stamp
	reign protocol.Reign
	parts [][]protocol.Group
	seen  []bool
	have  int
}

// Snapshot takes one part of a gateway's full interest. The caller has checked
// that it answers the current reign: only then was it taken after everything
// that an earlier reign consumed. now is used for a gateway that was not known.
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

// known is hear for what did not come through the queue: it proves no position
// in it, so a known gateway's time stands.
func (t *Table[P]) known(now time.Duration, s protocol.Stamp) Verdict[P] {
	if g := t.gateways[s.Gateway]; g != nil {
		return Verdict[P]{Gateway: g}
	}
	// The link stays 0 until the queue has told it: frames of an older link
	// may still be in front, and their groups are harmless.
	return t.hear(now, protocol.Stamp{Gateway: s.Gateway})
}

// add takes a part and reports that the snapshot is complete. Parts of another
// snapshot than the newest begun are dropped.
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

// rebase makes the snapshot the base and keeps the newer changes on top of it.
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
