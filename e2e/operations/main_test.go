// Package operations tests what the operator is told: the metrics, the
// dashboard and the alert rules, the broker's permissions, the events of
// connection life, and the traces. Everything runs as processes beside a private
// RabbitMQ.
package operations

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"belfry/e2e/harness"
	"belfry/e2e/wsclient"
	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/rabbit"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

const patience = 20 * time.Second // for one frame, or one thing to happen

func needsBroker(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: separate processes need a broker")
	}
}

// join connects to a gateway and subscribes to one group.
func join(t *testing.T, addr, token, name, item string) *wsclient.Conn {
	t.Helper()
	conn, answer, err := wsclient.Dial(t.Context(), wsclient.Request{Addr: addr, Token: token})
	if err != nil || conn == nil {
		t.Fatalf("connect: %v, %+v", err, answer)
	}
	t.Cleanup(conn.Drop)
	next(t, conn) // accept
	message, err := json.Marshal(map[string]any{"groups": map[string][]string{name: {item}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Text(string(message)); err != nil {
		t.Fatal(err)
	}
	var set struct {
		Current []string `json:"groups_current"`
	}
	got := next(t, conn)
	if err := json.Unmarshal([]byte(got), &set); err != nil || !slices.Equal(set.Current, []string{name + "-" + item}) {
		t.Fatalf("subscribed: %s, %v", got, err)
	}
	return conn
}

func next(t *testing.T, conn *wsclient.Conn) string {
	t.Helper()
	text, err := conn.Next(patience)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// nextEvent is the next frame that is not about a gap: where the processors are
// busy with other things a gateway may have to say that it is not sure.
func nextEvent(t *testing.T, conn *wsclient.Conn) string {
	t.Helper()
	for {
		if text := next(t, conn); !strings.HasPrefix(text, `{"gap":`) {
			return text
		}
	}
}

// until waits for something that another process brings about.
func until(t *testing.T, what string, happened func() bool) {
	t.Helper()
	harness.Until(t, patience, what, happened)
}

// askedToLeave expects close code 1001. Its gateway may be new, and a gap of a flood
// from before it may be told late.
func askedToLeave(t *testing.T, conn *wsclient.Conn) {
	t.Helper()
	for {
		text, err := conn.Next(harness.Within(patience))
		if closed, ok := errors.AsType[*wsclient.CloseError](err); ok && closed.Code == 1001 {
			return
		}
		if err != nil || !strings.HasPrefix(text, `{"gap":`) {
			t.Fatalf("the client was not asked to leave: %q, %v", text, err)
		}
	}
}

// stopAll stops every process, the gateways first: their last reports need a
// worker.
func stopAll(t *testing.T, in *harness.Installation) {
	t.Helper()
	for _, role := range [][]*harness.Process{in.Gateways, in.Workers} {
		var stops sync.WaitGroup
		for _, p := range role {
			stops.Go(func() {
				if status, err := p.Terminate(30 * time.Second); status != 0 || err != nil {
					t.Errorf("%s ended with status %d, %v", p.Name, status, err)
				}
			})
		}
		stops.Wait()
	}
}

// open opens a bus that ends with the test.
func open(t *testing.T, address string) amqpbus.Bus {
	t.Helper()
	bus, err := rabbit.Open(rabbit.Options{URL: address, Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = bus.Close(ctx)
	})
	return bus
}
