package operations

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"belfry/e2e/harness"
	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/rabbit"
	"belfry/pkg/emitter"
)

const shards = 2 // so that forwarding has its part

// TestPermissionsAreDocumented: the table of docs/operations.md is what is shipped.
func TestPermissionsAreDocumented(t *testing.T) {
	manual := read(t, "docs/operations.md")
	_, of := shipped(t)
	if len(of) != 3 {
		t.Fatalf("%d users have permissions", len(of))
	}
	for user, p := range of {
		for _, kind := range []string{"configure", "write", "read"} {
			row := fmt.Sprintf("| `%s` | %s | `%s` |", user, kind, strings.ReplaceAll(p.pattern(kind), "|", `\|`))
			if !strings.Contains(manual, row) {
				t.Errorf("docs/operations.md has no row %s", row)
			}
		}
	}
}

// TestPermissions tries the shipped permissions on one broker.
func TestPermissions(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	n := newNode(t)
	t.Run("they suffice", n.suffice)
	t.Run("who may what", n.whoMayWhat)
	t.Run("each is needed", n.eachIsNeeded)
}

// suffice runs an installation as the three users, the gateway
// first: everything works, and no log speaks of a permission.
func (n *node) suffice(t *testing.T) {
	d, _ := shipped(t)
	for i := range d.Permissions {
		d.Permissions[i].Vhost = n.vhost
	}
	n.define(t, d.Permissions...)
	life := follow(t, open(t, n.URL()))
	in := harness.Start(t, harness.Shape{
		Broker: n.Broker, Shards: shards,
		Env:        []string{shippedPasswords, "BELFRY_GATEWAY_USERS=" + gatewayUser, "BELFRY_WORKER_USERS=" + workerUser, "BELFRY_DRAIN_NOTICE=0s"},
		GatewayEnv: []string{"BELFRY_AMQP_URL=" + n.url(gatewayUser, n.vhost)},
		WorkerEnv:  []string{"BELFRY_AMQP_URL=" + n.url(workerUser, n.vhost)},
	})
	in.AddGateway(t, "gateway1")
	until(t, "the gateway declares what it needs", func() bool {
		return strings.Contains(strings.Join(n.Queues(t), " "), "belfry.reply.gateway1.")
	})
	in.AddWorker(t, "worker1")
	in.WaitReady(t, patience)
	life.bind(t)
	conn := join(t, in.Addr(0), harness.TokenAdmin, "jobs", "summary")
	for _, through := range []int{1, shards} { // belfry.emit, and the shard's exchange
		e, err := emitter.Open(emitter.Options{URL: n.url(backendUser, n.vhost), Shards: through, Timeout: patience})
		if err != nil {
			t.Fatal(err)
		}
		payload := fmt.Sprintf(`{"through": %d}`, through)
		if err := e.Emit(t.Context(), "jobs-summary", []byte(payload)); err != nil {
			t.Fatal(err)
		}
		if got := next(t, conn); got != payload {
			t.Errorf("got %s, want %s", got, payload)
		}
		if err := e.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	n.park(t)
	until(t, "a bad emit is parked", func() bool { return n.waiting(t, amqpbus.QueueDead) == 1 })
	if err := conn.Leave(1000, patience); err != nil {
		t.Error(err)
	}
	life.expect(t, "connection.opened", "connection.subscribed", "connection.closed")
	stopAll(t, in)
	for _, p := range slices.Concat(in.Gateways, in.Workers) {
		if log := p.Log(); strings.Contains(log, "permission") || strings.Contains(log, "ACCESS_REFUSED") {
			t.Errorf("%s lacked a permission:\n%s", p.Name, log)
		}
	}
}

// park publishes what is no JSON, as a backend.
func (n *node) park(t *testing.T) {
	t.Helper()
	probe := n.probe(t, backendUser, n.vhost)
	if err := probe.Publish(t.Context(), amqpbus.Message{Exchange: amqpbus.ExchangeEmit, Key: "jobs-summary", ID: "bad", Body: []byte("{")}); err != nil {
		t.Fatal(err)
	}
}

// waiting is how many messages a queue holds.
func (n *node) waiting(t *testing.T, queue string) int {
	t.Helper()
	probe, err := rabbit.OpenProbe(t.Context(), rabbit.Options{URL: n.URL(), Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = probe.Close() }()
	q, err := probe.Queue(t.Context(), queue)
	if err != nil {
		t.Fatal(err)
	}
	return q.Messages
}

func (n *node) probe(t *testing.T, user, vhost string) *rabbit.Probe {
	t.Helper()
	probe, err := rabbit.OpenProbe(t.Context(), rabbit.Options{URL: n.url(user, vhost), Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = probe.Close() })
	return probe
}

// refused says that the broker did not allow it.
func refused(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "lacks a permission") || strings.Contains(err.Error(), "ACCESS_REFUSED"))
}

// mayPublish is who may publish where; everything that is not here is refused.
var mayPublish = map[string][]string{
	amqpbus.ExchangeEmit:       {backendUser},
	amqpbus.EmitLogs(shards):   {backendUser, workerUser},
	amqpbus.ExchangeWorkers:    {gatewayUser, workerUser},
	amqpbus.ExchangeDisconnect: {backendUser},
	amqpbus.ExchangeQuestions:  {gatewayUser, workerUser}, // the worker's is its binding's, of the same name
	amqpbus.ExchangeReply:      {gatewayUser, workerUser},
	amqpbus.ExchangeReplyAll:   {workerUser},
	amqpbus.ExchangeEvents:     {workerUser},
	"":                         {gatewayUser, workerUser},
}

// mayConsume likewise.
var mayConsume = map[string][]string{
	amqpbus.QueueQuestions:       {gatewayUser, workerUser}, // the gateway's is its binding's, of the same name
	amqpbus.LeadQueue(shards, 0): {workerUser},
	amqpbus.QueueDisconnect:      {workerUser},
	amqpbus.QueueDead:            nil,
}

// whoMayWhat tries every exchange and queue as every user.
func (n *node) whoMayWhat(t *testing.T) {
	const vhost = "who-may-what"
	d, of := shipped(t)
	for i := range d.Permissions {
		d.Permissions[i].Vhost = vhost
	}
	n.define(t, append(d.Permissions, permission{User: "guest", Vhost: vhost, Configure: ".*", Write: ".*", Read: ".*"})...)
	if len(of) != 3 {
		t.Fatalf("%d users are shipped, three are tried", len(of))
	}
	layout := amqpbus.Layout{Shards: shards}
	if err := open(t, n.url("guest", vhost)).Declare(t.Context(), amqpbus.SharedTopology(layout)); err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{gatewayUser, workerUser, backendUser} {
		probe := n.probe(t, user, vhost)
		for exchange, users := range mayPublish {
			err := probe.Publish(t.Context(), amqpbus.Message{Exchange: exchange, Key: "nobody.takes-this", Type: "test", Body: []byte("{}")})
			allowed := err == nil || errors.Is(err, amqpbus.ErrUnroutable)
			if want := slices.Contains(users, user); allowed != want || !allowed && !refused(err) {
				t.Errorf("%s publishes to %q: allowed %t, want %t (%v)", user, exchange, allowed, want, err)
			}
		}
		bus := open(t, n.url(user, vhost))
		for queue, users := range mayConsume {
			con, err := bus.OpenConsumer(t.Context(), amqpbus.ConsumerOptions{Queue: queue, Prefetch: 1})
			if con != nil {
				_ = con.Close()
			}
			if want := slices.Contains(users, user); (err == nil) != want || err != nil && !refused(err) {
				t.Errorf("%s consumes %s: %v, want allowed %t", user, queue, err, want)
			}
		}
	}
	err := open(t, n.url(backendUser, vhost)).Declare(t.Context(), amqpbus.Topology{Queues: []amqpbus.Queue{{Name: "belfry.mine"}}})
	if !refused(err) {
		t.Errorf("a backend declares a queue: %v", err)
	}
}
