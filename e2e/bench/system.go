package main

import (
	"context"
	"fmt"
	"path/filepath"

	"belfry/e2e/harness"
	"belfry/pkg/amqpbus/brokertest"
)

// system is a private broker, one gateway and one worker, each a process of its
// own, as they run in production.
type system struct {
	node            *brokertest.Node
	gateway, worker *harness.Process
	address         string // the gateway's public address
	amqp            string // the broker's, for publishers and baselines
}

// token opens every connection of a benchmark, and may see every group.
const token = harness.TokenAdmin

// startSystem starts it; it ends with the rig.
func startSystem(ctx context.Context, r *rig) (*system, error) {
	node, err := brokertest.StartNode(ctx, filepath.Join(r.dir, "broker"))
	if err != nil {
		return nil, fmt.Errorf("start a private broker: %w", err)
	}
	r.Cleanup(node.Stop)
	s := &system{node: node}
	return s, r.attempt(func() {
		in := harness.Begin(r, harness.Shape{
			Gateways: 1, Workers: 1, Shards: 1, Broker: harness.OnNode(r, node), Env: []string{"BELFRY_LOG_LEVEL=warn"},
			// What many clients from one address would meet.
			GatewayEnv: append(harness.Unlimited(), "BELFRY_HANDSHAKE_RATE=50000"),
		})
		s.gateway, s.worker, s.address, s.amqp = in.Gateways[0], in.Workers[0], in.Addr(0), in.Broker.URL()
	})
}
