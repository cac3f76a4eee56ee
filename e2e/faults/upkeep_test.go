package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"belfry/e2e/harness"
	"belfry/e2e/wsclient"
	"belfry/pkg/amqpbus"
	"belfry/pkg/emitter"
)

// whole tries everything that needs the broker: a handshake, a subscription, an
// event, and an order to disconnect. The error says what does not work.
func whole(t *testing.T, in *harness.Installation, e *emitter.Emitter) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, answer, err := wsclient.Dial(ctx, in.Request(0, wsclient.Request{Token: harness.TokenAdmin}))
	if err != nil {
		return err
	}
	if conn == nil {
		return fmt.Errorf("handshake: HTTP %d %s", answer.Status, answer.Body)
	}
	defer conn.Drop()
	var hello struct{ User json.RawMessage }
	text, err := conn.Next(5 * time.Second)
	if err != nil || json.Unmarshal([]byte(text), &hello) != nil {
		return fmt.Errorf("accept: %q, %w", text, err)
	}
	if err := conn.Text(`{"groups":{"jobs":["status_changed"]}}`); err != nil {
		return err
	}
	if text, err = conn.Next(10 * time.Second); err != nil || !strings.Contains(text, "groups_current") {
		return fmt.Errorf("subscribe: %q, %w", text, err)
	}
	if err := e.Emit(ctx, "jobs-status_changed", json.RawMessage(`{"group_name":"jobs"}`)); err != nil {
		return fmt.Errorf("emit: %w", err)
	}
	for !strings.Contains(text, `"group_name"`) {
		if text, err = conn.Next(5 * time.Second); err != nil {
			return fmt.Errorf("event: %w", err)
		}
	}
	if err := e.Disconnect(ctx, strings.Trim(string(hello.User), `"`), ""); err != nil {
		return fmt.Errorf("order to disconnect: %w", err)
	}
	for {
		var closed *wsclient.CloseError
		switch _, err := conn.Next(5 * time.Second); {
		case errors.As(err, &closed) && closed.Code == 4403:
			return nil
		case err != nil:
			return fmt.Errorf("disconnected: %w", err)
		}
	}
}

// TestDeletedIsBroughtBack: an operator deletes what Belfry has declared, while
// everything runs. Nothing is restarted, and all of it works again.
func TestDeletedIsBroughtBack(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	in := harness.Start(t, harness.Shape{Gateways: 1, Workers: 1, Shards: 1})
	e, err := emitter.Open(emitter.Options{URL: in.Broker.BackendURL(), Timeout: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = e.Close(ctx)
	})
	if err := whole(t, in, e); err != nil {
		t.Fatal(err)
	}
	queues := func(names ...string) func() {
		return func() {
			for _, name := range names {
				in.Broker.DeleteQueue(t, name)
			}
		}
	}
	exchanges := func() {
		for _, name := range []string{
			amqpbus.ExchangeQuestions, amqpbus.ExchangeEmit, amqpbus.ExchangeDisconnect, amqpbus.ExchangeReply,
			amqpbus.ExchangeReplyAll, amqpbus.ExchangeEvents, amqpbus.EmitLogs(1),
		} {
			in.Broker.DeleteExchange(t, name)
		}
	}
	bindings := func() {
		if removed := in.Broker.Unbind(t); removed < 6 {
			t.Fatalf("only %d bindings were removed", removed)
		}
	}
	for _, c := range []struct {
		what string
		gone func()
	}{
		{"the queue of questions", queues(amqpbus.QueueQuestions)},
		{"the queue of orders", queues(amqpbus.QueueDisconnect)},
		{"the queue of what is parked", queues(amqpbus.QueueDead)},
		{"all bindings", bindings},
		{"all exchanges", exchanges},
	} {
		c.gone()
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), harness.Within(90*time.Second))
		err := harness.Await(ctx, c.what, func() error { return whole(t, in, e) })
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: whole again after %v", c.what, time.Since(began).Round(100*time.Millisecond))
	}
	harness.Until(t, time.Minute, "every queue is there", func() bool {
		all := strings.Join(in.Broker.Queues(t), " ")
		for _, q := range []string{amqpbus.QueueQuestions, amqpbus.QueueDisconnect, amqpbus.QueueDead, amqpbus.QueueLayout} {
			if !strings.Contains(all, q) {
				return false
			}
		}
		return true
	})
}
