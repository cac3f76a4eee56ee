package directory

import (
	"time"

	"belfry/pkg/protocol"
)

// Gateway is what the table knows about one gateway.
type Gateway[P any] struct {
	ID   protocol.GatewayID
	Peer P // the caller's

	link     uint64
	revision uint64                    // the highest from the queue or a snapshot
	base     uint64                    // revision of the last complete snapshot
	groups   map[protocol.Group]uint64 // its groups, each with the latest revision that said so
	left     map[protocol.Group]uint64 // groups left since base or the last matching heartbeat, with the revision
	digest   uint64                    // of groups
	heard    time.Duration             // when it last sent a message through the shard's queue
	synced   bool
	parts    assembly // the snapshot that is being received
}

func newGateway[P any](id protocol.GatewayID) *Gateway[P] {
	return &Gateway[P]{
		ID:     id,
		groups: make(map[protocol.Group]uint64),
		left:   make(map[protocol.Group]uint64),
	}
}

// Synced reports whether the table is known to contain all groups of the gateway.
func (g *Gateway[P]) Synced() bool { return g.synced }

// Heard returns when the gateway last sent a message through the shard's queue, by the
// caller's clock.
func (g *Gateway[P]) Heard() time.Duration { return g.heard }

// Holds reports whether the gateway has members of a group.
func (g *Gateway[P]) Holds(group protocol.Group) bool {
	_, there := g.groups[group]
	return there
}

// Count returns the number of the gateway's groups. A matching heartbeat has the same count
// and digest.
func (g *Gateway[P]) Count() int { return len(g.groups) }

// Digest returns the exclusive or of the digests of the gateway's groups.
func (g *Gateway[P]) Digest() uint64 { return g.digest }
