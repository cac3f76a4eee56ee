package directory

import (
	"time"

	"belfry/pkg/protocol"
)

// Gateway is what the table knows of one gateway.
type Gateway[P any] struct {
	ID   protocol.GatewayID
	Peer P // the caller's

	link     uint64
	revision uint64                    // the highest consumed or snapshotted
	base     uint64                    // revision of the last complete snapshot
	groups   map[protocol.Group]uint64 // held, with the revision that last said so
	left     map[protocol.Group]uint64 // left since base or the last matching heartbeat
	digest   uint64
	heard    time.Duration
	synced   bool
	parts    assembly
}

func newGateway[P any](id protocol.GatewayID) *Gateway[P] {
	return &Gateway[P]{
		ID:     id,
		groups: make(map[protocol.Group]uint64),
		left:   make(map[protocol.Group]uint64),
	}
}

// Synced reports that the table holds all that the gateway announced.
func (g *Gateway[P]) Synced() bool { return g.synced }

// Heard is when the gateway last spoke through the shard's queue.
func (g *Gateway[P]) Heard() time.Duration { return g.heard }

// Holds reports that the gateway has members of a group.
func (g *Gateway[P]) Holds(group protocol.Group) bool {
	_, there := g.groups[group]
	return there
}

// Count and Digest are what a matching heartbeat says.
func (g *Gateway[P]) Count() int { return len(g.groups) }

// Digest is the exclusive or of the held groups' digests.
func (g *Gateway[P]) Digest() uint64 { return g.digest }
