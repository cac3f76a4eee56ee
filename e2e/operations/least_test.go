package operations

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"belfry/e2e/harness"
	"belfry/pkg/amqpbus"
	"belfry/pkg/emitter"
)

// TestTheLeastOfAGateway: with the permissions of `belfry permissions --least` a gateway
// that declares nothing works, whoever starts first, and its credential reads neither
// events nor questions, and takes no queue away.
func TestTheLeastOfAGateway(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	n := newNode(t)
	out, err := exec.Command(harness.Binary(t, "belfry"), "permissions", "--definitions", "--least", "--vhost", n.vhost).Output()
	must(t, err)
	var d definitions
	must(t, json.Unmarshal(out, &d))
	n.define(t, d.Permissions...)
	in := harness.Start(t, harness.Shape{
		Broker: n.Broker, Shards: shards,
		Env:        []string{shippedPasswords, "BELFRY_GATEWAY_USERS=" + gatewayUser, "BELFRY_WORKER_USERS=" + workerUser, "BELFRY_DRAIN_NOTICE=0s"},
		GatewayEnv: []string{"BELFRY_AMQP_URL=" + n.url(gatewayUser, n.vhost), "BELFRY_DECLARE=false"},
		WorkerEnv:  []string{"BELFRY_AMQP_URL=" + n.url(workerUser, n.vhost)},
	})
	g := in.AddGateway(t, "gateway1")
	until(t, "the gateway misses what workers declare", func() bool { return strings.Contains(readiness(t, g), "reply queue") })
	in.AddWorker(t, "worker1")
	in.WaitReady(t, patience)
	conn := join(t, in.Addr(0), harness.TokenAdmin, "jobs", "summary")
	e, err := emitter.Open(emitter.Options{URL: n.url(backendUser, n.vhost), Timeout: patience})
	must(t, err)
	t.Cleanup(func() { _ = e.Close(t.Context()) })
	must(t, e.Emit(t.Context(), group, []byte(`{"least": 1}`)))
	if got := nextEvent(t, conn); got != `{"least": 1}` {
		t.Errorf("got %s", got)
	}

	f := n.thief(t, gatewayUser)
	const spy = "belfry.reply.spy"
	must(t, f.try(func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclare(spy, true, false, false, false, nil)
		return err
	}))
	for _, a := range []attempt{
		{"read events", func(ch *amqp.Channel) error { return ch.QueueBind(spy, "#", amqpbus.ExchangeEmit, false, nil) }},
		{"read questions", func(ch *amqp.Channel) error {
			return ch.QueueBind(spy, amqpbus.QueueQuestions, amqpbus.ExchangeQuestions, false, nil)
		}},
		{"consume questions", func(ch *amqp.Channel) error {
			_, err := ch.Consume(amqpbus.QueueQuestions, "", true, false, false, false, nil)
			return err
		}},
		{"read a log", func(ch *amqp.Channel) error {
			_, err := ch.Consume(amqpbus.LogQueue(shards, 0), "", true, false, false, false, nil)
			return err
		}},
		{"empty a log", func(ch *amqp.Channel) error {
			_, err := ch.QueuePurge(amqpbus.LogQueue(shards, 0), false)
			return err
		}},
		{"delete the queue of orders", func(ch *amqp.Channel) error {
			_, err := ch.QueueDelete(amqpbus.QueueDisconnect, false, false, false)
			return err
		}},
		{"delete the exchange of emits", func(ch *amqp.Channel) error { return ch.ExchangeDelete(amqpbus.ExchangeEmit, false, false) }},
		{"bind a log", func(ch *amqp.Channel) error {
			return ch.QueueBind(amqpbus.LogQueue(shards, 0), "x", amqpbus.ExchangeReply, false, nil)
		}},
	} {
		if err := f.try(a.do); !refused(err) {
			t.Errorf("with the least permissions a gateway could %s: %v", a.what, err)
		}
	}
	check := exec.Command(harness.Binary(t, "belfry"), "check", "--role", "gateway")
	check.Env = []string{
		"BELFRY_AMQP_URL=" + n.url(gatewayUser, n.vhost), "BELFRY_SHARDS=2", "BELFRY_DECLARE=false", shippedPasswords,
		"BELFRY_GATEWAY_USERS=" + gatewayUser, "BELFRY_WORKER_USERS=" + workerUser,
	}
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("belfry check: %v\n%s", err, out)
	}
	if err := conn.Leave(1000, patience); err != nil {
		t.Error(err)
	}
	stopAll(t, in)
	if log := g.Log(); strings.Contains(log, "ACCESS_REFUSED") {
		t.Errorf("the gateway lacked a permission:\n%s", log)
	}
}
