package amqpbus

import (
	"slices"
	"testing"

	"belfry/pkg/protocol"
)

// TestNothingDiesWithANode: on a cluster a queue that is not a quorum queue is
// away, and cannot be declared, while its node is.
func TestNothingDiesWithANode(t *testing.T) {
	for _, shards := range []int{1, 4} {
		l := Layout{Shards: shards, Quorum: true}
		for _, q := range slices.Concat(SharedTopology(l).Queues, ReplyTopology(l, protocol.GatewayID("g.1")).Queues) {
			if !q.Quorum {
				t.Errorf("%d shards: %s is a classic queue", shards, q.Name)
			}
		}
	}
}
