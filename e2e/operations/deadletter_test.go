package operations

import (
	"context"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"belfry/e2e/harness"
	"belfry/e2e/wsclient"
	"belfry/pkg/amqpbus"
)

// TestNoTokenIsDeadLettered: an operator has a policy for all queues that sends
// what dies in one to another. A client's question that nobody answered is not
// among it, for it holds a token; an event that expired is not either, because it
// is Belfry's to tell of. The policy itself works.
func TestNoTokenIsDeadLettered(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	for _, kind := range []string{"classic", "quorum"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			tokenDies(t, kind)
		})
	}
}

func tokenDies(t *testing.T, kind string) {
	in := harness.Start(t, harness.Shape{Shards: 1, Env: []string{"BELFRY_QUEUE_TYPE=" + kind}})
	ch := channel(t, in.Broker)
	const exchange, dead, control = "operators.dead", "operators.dead", "operators.other"
	must(t, ch.ExchangeDeclare(exchange, "fanout", true, false, false, false, nil))
	for _, queue := range []string{dead, control} {
		_, err := ch.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-queue-type": kind})
		must(t, err)
	}
	must(t, ch.QueueBind(dead, "", exchange, false, nil))
	policy := map[string]any{"dead-letter-exchange": exchange}
	if kind == "quorum" {
		policy["dead-letter-strategy"] = "at-least-once"
	}
	in.Broker.SetPolicy(t, "operators", ".*", policy)

	w := in.AddWorker(t, "worker")
	g := in.AddGateway(t, "gateway")
	for _, p := range []*harness.Process{w, g} {
		if err := p.WaitReady(patience); err != nil {
			t.Fatal(err)
		}
	}
	request := in.Request(0, wsclient.Request{Token: harness.TokenAdmin})
	w.Kill9()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, answer, err := wsclient.Dial(ctx, request) // the gateway believes the worker for 7 s more
	if err != nil || conn != nil || answer.Status != 503 {
		t.Fatalf("without a worker: %v, %v, %+v", conn, err, answer)
	}
	if !strings.Contains(answer.Body, "nobody") && !strings.Contains(answer.Body, "check") {
		t.Fatalf("the question was not asked: %s", answer.Body)
	}
	// It died in its queue 5 s after it was asked. Behind it another message dies,
	// of which the policy takes care.
	must(t, ch.PublishWithContext(ctx, "", control, false, false, amqp.Publishing{Expiration: "1", Body: []byte("control")}))
	until(t, "the question is gone", func() bool {
		q, err := ch.QueueDeclarePassive(amqpbus.QueueQuestions, true, false, false, false, nil)
		return err == nil && q.Messages == 0
	})
	var got []string
	until(t, "the control message was dead-lettered", func() bool {
		d, there, err := ch.Get(dead, true)
		if err == nil && there {
			got = append(got, string(d.Body))
		}
		return err == nil && there && string(d.Body) == "control"
	})
	for {
		d, there, err := ch.Get(dead, true)
		if err != nil || !there {
			break
		}
		got = append(got, string(d.Body))
	}
	for _, body := range got {
		if strings.Contains(body, request.Token) {
			t.Errorf("a token is in the operator's queue: %.80q", body)
		}
	}
	if len(got) != 1 {
		t.Errorf("%d messages of Belfry's are in the operator's queue: %q", len(got)-1, got)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// channel is an operator's.
func channel(t *testing.T, b *harness.Broker) *amqp.Channel {
	t.Helper()
	conn, err := amqp.Dial(b.URL())
	must(t, err)
	t.Cleanup(func() { _ = conn.CloseDeadline(time.Now().Add(5 * time.Second)) })
	ch, err := conn.Channel()
	must(t, err)
	return ch
}
