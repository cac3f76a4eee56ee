package harness

import (
	"crypto/rand"
	"strings"
	"testing"

	"belfry/pkg/amqpbus"
	"belfry/pkg/eventlog"
	"belfry/pkg/protocol"
)

// Forgeries are what Forge published, by whom they were to deceive.
type Forgeries struct {
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
	log := protocol.ShardOf(g, shards)
	var gateways, workers []string
	for _, id := range in.Broker.Identities(t) {
		if strings.HasPrefix(id, "gateway") {
			gateways = append(gateways, id)
		} else {
			workers = append(workers, id)
		}
	}
	publish := func(exchange, key, kind string, body []byte) {
		t.Helper()
		m := amqpbus.Message{Exchange: exchange, Key: key, Type: kind, ID: "forged-" + kind + "-" + rand.Text(), Mandatory: true, Body: body}
		if err := p.publish(m); err != nil {
			t.Fatalf("forge %s: %v", kind, err)
		}
	}
	say := func(exchange, key string, message any) {
		t.Helper()
		kind, body := eventlog.Encode(shards, message)
		publish(exchange, key, kind, body)
	}
	tags := []eventlog.Tag{eventlog.TagOf(g)}
	high := eventlog.Leader{Term: 1 << 62, Worker: workers[0]}
	for _, gateway := range gateways {
		// Feeds and revisions of a gateway that has just begun are small numbers.
		for feed := range uint64(5) {
			say(amqpbus.ExchangeReply, gateway, eventlog.Batch{
				Log: log, Gateway: gateway, Feed: feed, Rev: feed, From: eventlog.Cursor{}, To: eventlog.Cursor{Offset: 1 << 40}, End: 1 << 40,
				Events: []eventlog.Event{{Offset: 1 << 40, Group: g, Payload: []byte(`"forged"`)}},
			})
			say(amqpbus.ExchangeReply, gateway, eventlog.Reset{Log: log, Gateway: gateway, Feed: feed, Cause: eventlog.CauseJump})
		}
		publish(amqpbus.ExchangeReply, gateway, protocol.TypeDecision, protocol.Encode(protocol.Decision{Conn: 1, Question: 1, Verdict: protocol.VerdictRefuse}))
		for _, worker := range workers {
			say(amqpbus.ExchangeReply, worker, eventlog.Stale{Log: log, Gateway: gateway, Leader: high})
			say(amqpbus.ExchangeReply, worker, eventlog.Hello{Log: log, Gateway: gateway, Feed: 1 << 40, Covered: eventlog.Cursor{Offset: 1 << 40}})
			say(amqpbus.ExchangeReply, worker, eventlog.Snapshot{Log: log, Gateway: gateway, Rev: 1 << 40, Serial: 1 << 40, Parts: 1})
			for base := range uint64(3) {
				say(amqpbus.ExchangeReply, worker, eventlog.Change{Log: log, Gateway: gateway, Base: base, Rev: 1 << 40, Left: tags})
			}
		}
	}
	say(amqpbus.ExchangeReplyAll, "", eventlog.Claim{Log: log, Leader: high})
	return Forgeries{Gateway: 2*5 + 1 + 1, Worker: 6*len(gateways) + 1}
}
