package main

import (
	"context"
	"slices"
	"strings"
	"testing"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/brokertest"
)

func TestCheckWithoutABroker(t *testing.T) {
	clean(t)
	set(t, "BELFRY_AMQP_URL", "amqp://backend:hidden@127.0.0.1:1/")
	set(t, "BELFRY_TOKENS_FILE", file(t, "tokens.json", "{}"))
	set(t, "BELFRY_POLICY_FILE", "../../configs/policy.tower.json")
	set(t, "BELFRY_ALLOWED_ORIGINS", "tower.example.com")
	got := sh(t, "", "check")
	got.want(t, 1, "WRONG  configuration of the worker: BELFRY_TOKENS_FILE: ", "something is wrong")
	got.want(t, 1, "configuration of the gateway: set up the listener: BELFRY_ALLOWED_ORIGINS", "")
	got.want(t, 1, "ok     configuration of the backend", "")
	got.want(t, 1, "WRONG  broker: connect to amqp://backend@127.0.0.1:1/", "")
	got.want(t, 1, "is the broker running", "")
	if strings.Contains(got.out+got.err, "hidden") {
		t.Errorf("the password is in %s%s", got.out, got.err)
	}
}

func TestCheckOfAFreshBroker(t *testing.T) {
	configured(t, "guest")
	got := sh(t, "", "check", "--nothing-runs")
	got.want(t, 0, ": RabbitMQ ", "")
	got.want(t, 0, "note   the queues do not exist yet", "")
	got.want(t, 0, "ok     permissions: this user may publish and consume", "")
	sh(t, "", "check").want(t, 1, "WRONG  running: no worker has ever run here", "")
	if names, err := node(t).Queues(); err != nil || len(names) > 0 {
		t.Errorf("it left %q, %v", names, err)
	}
}

func TestCheckOfAnInstallation(t *testing.T) {
	configured(t, "guest")
	bus := withBus(t, 1)
	got := sh(t, "", "check", "--nothing-runs")
	got.want(t, 0, "note   running: no worker is running", "")
	got = sh(t, "", "check")
	got.want(t, 1, "ok     topology: as this version declares it (BELFRY_SHARDS=1)", "")
	got.want(t, 1, "ok     permissions: this user may publish to belfry.session", "")
	got.want(t, 1, "ok     emitting: ", "")
	got.want(t, 1, "WRONG  running: no worker is running", ", 1 in all")

	for _, queue := range []string{amqpbus.QueueQuestions, amqpbus.LeadQueue(1, 0)} { // as a worker does
		c, err := bus.OpenConsumer(t.Context(), amqpbus.ConsumerOptions{Queue: queue, Prefetch: 10})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
	}
	got = sh(t, "", "check")
	got.want(t, 0, "ok     running: workers answering questions: 1", "")
	got.want(t, 0, "ok     running: every log has a worker", "")

	set(t, "BELFRY_SHARDS", "4")
	got = sh(t, "", "check")
	got.want(t, 1, "WRONG  shards: BELFRY_SHARDS is 4 here, but workers with 1 shards run", "")
	if strings.Contains(got.out, "not exist yet") || strings.Contains(got.out, "no worker") {
		t.Errorf("it contradicts itself:\n%s", got.out)
	}
	set(t, "BELFRY_SHARDS", "1")
	leftover(t, bus)
	sh(t, "", "check").want(t, 1, "WRONG  shards: BELFRY_SHARDS is 1 here, but logs of 2 shards still exist", "")
	set(t, "BELFRY_QUEUE_TYPE", "quorum")
	sh(t, "", "check").want(t, 1, "WRONG  topology: the broker holds an installation with another BELFRY_SHARDS or BELFRY_QUEUE_TYPE", "")
}

// leftover leaves the queues of another number of shards behind.
func leftover(t *testing.T, bus amqpbus.Bus) {
	t.Helper()
	layout := amqpbus.SharedTopology(amqpbus.Layout{Shards: 2})
	layout.Queues = slices.DeleteFunc(layout.Queues, func(q amqpbus.Queue) bool { return q.Name == amqpbus.QueueLayout })
	if err := bus.Declare(t.Context(), layout); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, q := range layout.Queues {
			_ = bus.Delete(context.Background(), q.Name)
		}
	})
}

func TestCheckOfPermissions(t *testing.T) {
	withBus(t, 1)
	configured(t, "backend")
	sh(t, "", "check").want(t, 1, "check it with --role backend", "")
	sh(t, "", "check", "--role", "backend", "--nothing-runs").want(t, 0, "ok     emitting: ", "")
	configured(t, "halfway")
	sh(t, "", "check", "--role", "worker").want(t, 1, "the broker user lacks a permission (ACCESS_REFUSED - access to exchange 'amq.default'", "")
	clean(t)
	set(t, "BELFRY_AMQP_URL", strings.Replace(node(t).URL("backend"), brokertest.Password, "guessed", 1))
	got := sh(t, "", "check", "--role", "backend")
	got.want(t, 1, "WRONG  broker: connect to amqp://backend@", "")
	got.want(t, 1, "the broker refused user or password", "")
	if strings.Contains(got.out, "is the broker running") || strings.Contains(got.out, "guessed") {
		t.Errorf("it asks what it has seen, or shows the password:\n%s", got.out)
	}
}

// TestCheckTellsRefusalsApart: what the broker says is told as what it is about.
func TestCheckTellsRefusalsApart(t *testing.T) {
	configured(t, "guest")
	v := node(t)
	limit := func(name string) {
		t.Helper()
		if err := v.Node.LimitVHost(v.Name, name, 0); err != nil {
			t.Fatal(err)
		}
	}
	unlimit := func(name string) {
		t.Helper()
		if err := v.Node.UnlimitVHost(v.Name, name); err != nil {
			t.Fatal(err)
		}
	}
	limit("max-queues")
	got := sh(t, "", "check", "--nothing-runs")
	got.want(t, 1, "WRONG  limits: declare queue belfry.reply.belfry-check.", "")
	got.want(t, 1, "(0) is reached", "")
	if strings.Contains(got.out, "BELFRY_SHARDS or") || strings.Contains(got.out, "other arguments") {
		t.Errorf("it is told as something else:\n%s", got.out)
	}
	unlimit("max-queues")
	limit("max-connections")
	sh(t, "", "check").want(t, 1, "WRONG  limits: connect to amqp://guest@", "")
	unlimit("max-connections")
	set(t, "BELFRY_AMQP_URL", v.URL("guest")+"nope")
	sh(t, "", "check").want(t, 1, "nope not found", "")
}

// TestCheckOfAList looks at every address.
func TestCheckOfAList(t *testing.T) {
	configured(t, "guest")
	set(t, "BELFRY_AMQP_URL", strings.Replace(node(t).URL("guest"), node(t).Node.Address(), "127.0.0.1:1", 1)+","+node(t).URL("guest"))
	got := sh(t, "", "check", "--nothing-runs")
	got.want(t, 0, "note   broker: connect to amqp://", "")
	got.want(t, 0, "ok     broker amqp://guest@127.0.0.1:", "")
	set(t, "BELFRY_AMQP_URL", "amqp://guest:hidden@127.0.0.1:1/,amqp://guest:12#hidden@127.0.0.1:2/")
	bad := sh(t, "", "check")
	bad.want(t, 1, "BELFRY_AMQP_URL (address 2 of 2) holds a \"#\": percent-encode", "")
	if strings.Contains(got.out+got.err+bad.out+bad.err, "hidden") || strings.Contains(bad.out, "BELFRY_AMQP_INSECURE") {
		t.Errorf("a password is shown, or TLS blamed:\n%s%s", got.out, bad.out)
	}
}

// TestCheckOfAPolicyNamesThePlace: a line, a column and the nearest key.
func TestCheckOfAPolicyNamesThePlace(t *testing.T) {
	clean(t)
	set(t, "BELFRY_AMQP_URL", "amqp://guest:guest@127.0.0.1:1/")
	set(t, "BELFRY_DEVELOPMENT", "true")
	set(t, "BELFRY_TOKENS_FILE", "../../configs/tokens.dev.json")
	set(t, "BELFRY_POLICY_FILE", file(t, "policy.json", "{\"rules\": [\n {\"groups\": [\"jobs-*\"], \"alow\": [\"all\"]}]}"))
	sh(t, "", "check", "--role", "worker").want(t, 1, `line 2, column 25: there is no key "alow" here: did you mean "allow"?`, "")
}
