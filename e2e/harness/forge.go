package harness

import (
	"crypto/rand"
	"strings"
	"testing"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

// Forgeries are what Forge published, by whom they were to deceive.
type Forgeries struct {
	// Controls are the ids of messages in the shards' queues.
	Controls []string
	// Each gateway, and each worker, got so many messages for its reply queue.
	Gateway, Worker int
}

// Forge publishes, as a backend's user, what only gateways and workers may say,
// in the names of those who are there: each would change or reveal something
// about the group if it were believed.
func (in *Installation) Forge(t testing.TB, group string) Forgeries {
	t.Helper()
	p, err := openPublisher(in.Broker.BackendURL(), "e2e-forger")
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	g := protocol.Group(group)
	shards := in.shape.Shards
	shard := protocol.ShardOf(g, shards)
	var gateways, workers []string
	for _, id := range in.Broker.Identities(t) {
		if strings.HasPrefix(id, "gateway") {
			gateways = append(gateways, id)
		} else {
			workers = append(workers, id)
		}
	}
	var f Forgeries
	publish := func(exchange, key, kind string, body []byte) {
		t.Helper()
		id := "forged-" + kind + "-" + rand.Text()
		if exchange == amqpbus.InterestExchange(shards) {
			f.Controls = append(f.Controls, id)
		}
		if err := p.publish(amqpbus.Message{Exchange: exchange, Key: key, Type: kind, ID: id, Mandatory: true, Body: body}); err != nil {
			t.Fatalf("forge %s: %v", kind, err)
		}
	}
	reign := protocol.Reign{Shard: shard, Epoch: 1 << 60, Worker: protocol.WorkerID(workers[0])}
	batch := protocol.Batch{Reign: reign, Mode: protocol.ModeDirect, Sequence: 1, Events: []protocol.Event{{Group: g, ID: rand.Text(), Payload: []byte(`"forged"`)}}}
	for _, gateway := range gateways {
		stamp := protocol.Stamp{Gateway: protocol.GatewayID(gateway), Link: 1 << 40, Revision: 1 << 40}
		toShard := func(kind string, body []byte) {
			publish(amqpbus.InterestExchange(shards), amqpbus.ShardKey(shard), kind, body)
		}
		toShard(protocol.TypeInterest, protocol.Encode(protocol.Interest{Stamp: stamp, Leave: []protocol.Group{g}}))
		toShard(protocol.TypeHeartbeat, protocol.Encode(protocol.Heartbeat{Stamp: stamp}))
		toShard(protocol.TypeLost, protocol.Encode(protocol.Lost{Worker: reign.Worker, Epoch: reign.Epoch, Gateway: stamp.Gateway}))
		toShard(protocol.TypeBye, protocol.Encode(protocol.Bye{Stamp: stamp}))
		for kind, body := range map[string][]byte{
			protocol.TypeBatch:    batch.Encode(),
			protocol.TypeGap:      protocol.Encode(protocol.Gap{Shard: shard, Groups: []protocol.Group{g}}),
			protocol.TypePulse:    protocol.Encode(protocol.Pulse{Reign: reign, Direct: 99, Flood: 99}),
			protocol.TypeDecision: protocol.Encode(protocol.Decision{Conn: 1, Question: 1, Verdict: protocol.VerdictRefuse}),
		} {
			publish(amqpbus.ExchangeReply, gateway, kind, body)
		}
		for _, worker := range workers {
			publish(amqpbus.ExchangeReply, worker, protocol.TypeSnapshot, protocol.Encode(protocol.Snapshot{Stamp: stamp, Reign: reign, Parts: 1}))
			publish(amqpbus.ExchangeReply, worker, protocol.TypeStale, protocol.Encode(protocol.Stale{Gateway: stamp.Gateway, Refused: reign, Highest: reign}))
		}
	}
	batch.Mode = protocol.ModeFlood
	publish(amqpbus.ExchangeReplyAll, "", protocol.TypeBatch, batch.Encode())
	publish(amqpbus.ExchangeReplyAll, "", protocol.TypeGap, protocol.Encode(protocol.Gap{Shard: shard}))
	f.Gateway, f.Worker = 4+2, 2*len(gateways)
	return f
}
