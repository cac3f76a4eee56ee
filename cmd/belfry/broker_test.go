package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/brokertest"
	"belfry/pkg/amqpbus/rabbit"
)

// hosts has the virtual host of each test that runs.
var hosts = map[*testing.T]*brokertest.VHost{}

// node gives a test a virtual host with two users beside guest, the same one at
// each call.
func node(t *testing.T) *brokertest.VHost {
	t.Helper()
	if v := hosts[t]; v != nil {
		return v
	}
	return with(t, brokertest.Share(t))
}

// alone gives the test its virtual host on a node that it may alarm or pause. It
// is called before node.
func alone(t *testing.T) *brokertest.VHost {
	t.Helper()
	v, err := brokertest.Start(t).NewVHost()
	if err != nil {
		t.Fatal(err)
	}
	return with(t, v)
}

// with makes the users.
func with(t *testing.T, v *brokertest.VHost) *brokertest.VHost {
	t.Helper()
	for _, user := range [][4]string{
		{"backend", "^$", `^belfry\.(emit(\.v1\.n[0-9]+)?|disconnect)$`, "^$"},
		{"halfway", `^belfry\..*`, `^belfry\..*`, `^belfry\..*`},
	} {
		if err := v.AddUser(user[0], user[1], user[2], user[3]); err != nil {
			t.Fatal(err)
		}
	}
	hosts[t] = v
	t.Cleanup(func() { delete(hosts, t) })
	return v
}

// withBus gives a bus to a test, and an installation's topology when shards is
// not 0, which goes with the test.
func withBus(t *testing.T, shards int) amqpbus.Bus {
	t.Helper()
	bus, err := rabbit.Open(rabbit.Options{URL: node(t).URL("guest"), Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if shards > 0 {
			for _, q := range amqpbus.SharedTopology(amqpbus.Layout{Shards: shards}).Queues {
				if err := bus.Delete(ctx, q.Name); err != nil {
					t.Error(err)
				}
			}
		}
		_ = bus.Close(ctx)
	})
	if shards > 0 {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := bus.Declare(ctx, amqpbus.SharedTopology(amqpbus.Layout{Shards: shards})); err != nil {
			t.Fatal(err)
		}
	}
	return bus
}

// configured is the environment of an installation on the shared broker.
func configured(t *testing.T, user string) {
	t.Helper()
	clean(t)
	set(t, "BELFRY_AMQP_URL", node(t).URL(user))
	set(t, "BELFRY_DEVELOPMENT", "true")
	set(t, "BELFRY_TOKENS_FILE", "../../configs/tokens.dev.json")
	set(t, "BELFRY_POLICY_FILE", "../../configs/policy.tower.json")
}

func TestReshard(t *testing.T) {
	configured(t, "guest")
	bus := withBus(t, 1)
	four := amqpbus.SharedTopology(amqpbus.Layout{Shards: 4})
	if err := bus.Declare(t.Context(), four); !errors.Is(err, amqpbus.ErrLayout) {
		t.Fatalf("a worker with 4 shards beside one with 1: %v", err)
	}
	worker, err := bus.OpenConsumer(t.Context(), amqpbus.ConsumerOptions{Queue: amqpbus.LeadQueue(1, 0), Prefetch: 10})
	if err != nil {
		t.Fatal(err)
	}
	sh(t, "", "reshard", "--from", "1", "--to", "4").want(t, 1, "", "belfry.lead.v2.n1.0 still has 1 consumers: stop every worker and gateway first")
	_ = worker.Close()
	sh(t, "", "reshard", "--from", "2", "--to", "4").want(t, 1, "", "there are no queues of 2 shards")
	sh(t, "", "reshard", "--from", "1").want(t, 2, "", "--to is 0: give a number of shards, 1 to 256")
	sh(t, "", "emit", "jobs-summary", "1").want(t, 0, "", "")

	old := amqpbus.Topology{Queues: []amqpbus.Queue{{Name: "belfry.shard.v1.n1.0"}}} // of a version before the logs
	if err := bus.Declare(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	got := sh(t, "", "reshard", "--from", "1", "--to", "4")
	got.want(t, 0, "deleted  belfry.shard.v1.n1.0 with 0 messages\n", "")
	got.want(t, 0, "deleted  belfry.log.v2.n1.0 with ", "")
	got.want(t, 0, "declared belfry.layout.v2\n", "")
	got.want(t, 0, "start workers and gateways with BELFRY_SHARDS=4", "")
	if err := bus.Declare(t.Context(), four); err != nil {
		t.Errorf("a worker with 4 shards now: %v", err)
	}
	set(t, "BELFRY_SHARDS", "4")
	sh(t, "", "check", "--nothing-runs").want(t, 0, "ok     topology: as this version declares it (BELFRY_SHARDS=4)", "")

	set(t, "BELFRY_QUEUE_TYPE", "quorum")
	sh(t, "", "reshard", "--from", "4", "--to", "1").want(t, 0, "deleted  belfry.log.v2.n4.in with ", "")
	set(t, "BELFRY_SHARDS", "1")
	sh(t, "", "check", "--nothing-runs").want(t, 0, "ok     topology: as this version declares it (BELFRY_SHARDS=1)", "")
}

func TestEmitOverABroker(t *testing.T) {
	bus := withBus(t, 1)
	configured(t, "backend")
	consumer, err := bus.OpenConsumer(t.Context(), amqpbus.ConsumerOptions{Queue: amqpbus.LogQueue(1, 0), Prefetch: 10})
	if err != nil {
		t.Fatal(err)
	}
	sh(t, "", "emit", "--expiration", "5s", "--persistent", "jobs-summary", `{"a":  1}`).want(t, 0, "", "")
	sh(t, "", "emit", "--expiration", "0s", "jobs-summary", "2").want(t, 0, "", "")
	first, second := receive(t, consumer), receive(t, consumer)
	if string(first.Body) != `{"a":  1}` || first.Key != "jobs-summary" || first.Expiration != 5*time.Second || !first.Persistent || first.ID == "" {
		t.Errorf("got %+v", first.Message)
	}
	if string(second.Body) != "2" || second.Expiration != 0 || second.Persistent || second.ID == first.ID {
		t.Errorf("got %+v", second.Message)
	}
}

func receive(t *testing.T, c amqpbus.Consumer) amqpbus.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	got, err := c.Receive(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Ack(got[0]); err != nil {
		t.Fatal(err)
	}
	return got[0]
}

func TestPythonExample(t *testing.T) {
	bus := withBus(t, 1)
	python := func(args ...string) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		cmd := exec.CommandContext(ctx, "/usr/bin/python3", append([]string{"../../examples/python/emit.py"}, args...)...)
		cmd.Env = append(os.Environ(), "BELFRY_AMQP_URL="+node(t).URL("backend"))
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	consumer, err := bus.OpenConsumer(t.Context(), amqpbus.ConsumerOptions{Queue: amqpbus.LogQueue(1, 0), Prefetch: 10})
	if err != nil {
		t.Fatal(err)
	}
	const payload = `{"group_name":  "jobs", "name": "Zoë"}`
	if out, err := python("jobs-status_changed", payload); err != nil || out != "" {
		t.Fatalf("%v: %s", err, out)
	}
	got := receive(t, consumer)
	if string(got.Body) != payload || got.Key != "jobs-status_changed" || got.Exchange != amqpbus.ExchangeEmit {
		t.Errorf("got %+v", got.Message)
	}
	if len(got.ID) != 36 || got.Expiration != time.Minute || got.Persistent {
		t.Errorf("got id %q, expiration %v, persistent %v", got.ID, got.Expiration, got.Persistent)
	}
	_ = consumer.Close()

	// Mandatory and confirms: without a queue it is an error, and no silence.
	if err := bus.Delete(t.Context(), amqpbus.LogQueue(1, 0)); err != nil {
		t.Fatal(err)
	}
	if out, err := python("jobs-status_changed", payload); err == nil || !strings.Contains(out, "no queue takes the event") {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := python("jobs-status_changed", "{"); err == nil || !strings.Contains(out, "JSON") {
		t.Errorf("%v: %s", err, out)
	}
}
