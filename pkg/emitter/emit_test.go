package emitter_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/membus"
	"belfry/pkg/emitter"
	"belfry/pkg/protocol"
)

func TestMessageOfEvent(t *testing.T) {
	broker, bus := installation(t, 1)
	e := over(t, broker, emitter.Options{})
	payload := []byte(`{"group_name": "jobs",   "status":"running" }`)
	if err := e.Emit(t.Context(), "jobs-status_changed", payload); err != nil {
		t.Fatal(err)
	}
	got := receive(t, bus, amqpbus.LogQueue(1, 0), 1)[0]
	if got.Exchange != amqpbus.ExchangeEmit || got.Key != "jobs-status_changed" || !bytes.Equal(got.Body, payload) {
		t.Errorf("got %+v", got)
	}
	if got.Expiration != 60*time.Second || got.Persistent || got.UserID != user {
		t.Errorf("expiration %v, persistent %v, user %q", got.Expiration, got.Persistent, got.UserID)
	}
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(got.ID) {
		t.Errorf("message id %q is no UUID of version 7", got.ID)
	}
}

func TestWithShards(t *testing.T) {
	broker, bus := installation(t, 4)
	e := over(t, broker, emitter.Options{Shards: 4, Persistent: true, Expiration: -1})
	for i := range 20 {
		group := protocol.Group(fmt.Sprintf("job_events-%d", i))
		if err := e.Emit(t.Context(), string(group), []byte(`{}`)); err != nil {
			t.Fatal(err)
		}
		shard := protocol.ShardOf(group, 4)
		got := receive(t, bus, amqpbus.LogQueue(4, shard), 1)[0]
		if got.Exchange != amqpbus.EmitLogs(4) || got.Key != amqpbus.LogKey(4, shard) || got.Headers[amqpbus.HeaderGroup] != string(group) {
			t.Errorf("%s: %+v", group, got.Message)
		}
		if !got.Persistent || got.Expiration != 0 {
			t.Errorf("persistent %v, expiration %v", got.Persistent, got.Expiration)
		}
	}
}

func TestInvalidEventsAreNotSent(t *testing.T) {
	broker, _ := installation(t, 1)
	e := over(t, broker, emitter.Options{})
	for name, event := range map[string]emitter.Event{
		"no item":      {Group: "jobs", Payload: []byte(`{}`)},
		"empty item":   {Group: "jobs-", Payload: []byte(`{}`)},
		"long group":   {Group: "jobs-" + strings.Repeat("x", 200), Payload: []byte(`{}`)},
		"control":      {Group: "jobs-\n", Payload: []byte(`{}`)},
		"not UTF-8":    {Group: "jobs-1", Payload: []byte("\"\xff\"")},
		"not JSON":     {Group: "jobs-1", Payload: []byte(`{"a":}`)},
		"nothing":      {Group: "jobs-1"},
		"two values":   {Group: "jobs-1", Payload: []byte(`{} {}`)},
		"too long":     {Group: "jobs-1", Payload: []byte(`"` + strings.Repeat("x", emitter.MaxPayload-1) + `"`)},
		"long message": {Group: "jobs-1", Payload: []byte(`{}`), ID: strings.Repeat("x", 201)},
	} {
		if err := e.EmitEvent(t.Context(), event); !errors.Is(err, emitter.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	longest := []byte(`"` + strings.Repeat("x", emitter.MaxPayload-2) + `"`)
	if err := e.Emit(t.Context(), "jobs-1", longest); err != nil {
		t.Errorf("a payload of exactly %d bytes: %v", emitter.MaxPayload, err)
	}
	if n := ready(t, broker, amqpbus.LogQueue(1, 0)); n != 1 {
		t.Errorf("%d messages were sent", n)
	}
}

func TestRefusalsAreReportedAndNotRetried(t *testing.T) {
	broker, _ := installation(t, 1)
	registry := prometheus.NewRegistry()
	e := over(t, broker, emitter.Options{Registerer: registry})
	asked := make(chan struct{}, 10)
	broker.SetPublishHook(func(string, amqpbus.Message) membus.Fate {
		asked <- struct{}{}
		return membus.FateRefuse
	})
	if err := e.Emit(t.Context(), "jobs-1", []byte(`{}`)); !errors.Is(err, emitter.ErrRefused) {
		t.Errorf("a refusal: %v", err)
	}
	broker.SetPublishHook(nil)
	if err := e.Emit(t.Context(), "jobs-2", []byte(`{}`)); err != nil {
		t.Error(err)
	}
	if len(asked) != 1 || ready(t, broker, amqpbus.LogQueue(1, 0)) != 1 {
		t.Errorf("the refused event was sent %d times", len(asked))
	}
	want := `
# HELP belfry_emitter_events_total Events that were settled, by outcome.
# TYPE belfry_emitter_events_total counter
belfry_emitter_events_total{outcome="closed"} 0
belfry_emitter_events_total{outcome="confirmed"} 1
belfry_emitter_events_total{outcome="denied"} 0
belfry_emitter_events_total{outcome="invalid"} 0
belfry_emitter_events_total{outcome="refused"} 1
belfry_emitter_events_total{outcome="unknown"} 0
belfry_emitter_events_total{outcome="unroutable"} 0
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "belfry_emitter_events_total"); err != nil {
		t.Error(err)
	}
}

func TestNoQueueIsUnroutable(t *testing.T) {
	broker := membus.New()
	bus := broker.Open("worker")
	defer func() { _ = bus.Close(context.Background()) }()
	if err := bus.Declare(t.Context(), amqpbus.Topology{Exchanges: []amqpbus.Exchange{{Name: amqpbus.ExchangeEmit, Kind: "topic"}}}); err != nil {
		t.Fatal(err)
	}
	e := over(t, broker, emitter.Options{})
	if err := e.Emit(t.Context(), "jobs-1", []byte(`{}`)); !errors.Is(err, emitter.ErrUnroutable) {
		t.Error(err)
	}
}

func TestWrongNumberOfShardsIsUnroutable(t *testing.T) {
	broker, _ := installation(t, 4)
	e := over(t, broker, emitter.Options{Shards: 2}) // belfry.emit.v1.n2 does not exist
	err := e.Emit(t.Context(), "jobs-1", []byte(`{}`))
	if !errors.Is(err, emitter.ErrUnroutable) || !strings.Contains(err.Error(), "BELFRY_SHARDS") {
		t.Error(err)
	}
}

func TestBatch(t *testing.T) {
	broker, bus := installation(t, 1)
	e := over(t, broker, emitter.Options{Window: 7})
	var events []emitter.Event
	for i := range 100 {
		events = append(events, emitter.Event{Group: "jobs-1", Payload: fmt.Appendf(nil, "%d", i), ID: fmt.Sprint("id", i)})
	}
	if err := e.EmitBatch(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	for i, d := range receive(t, bus, amqpbus.LogQueue(1, 0), 100) {
		if string(d.Body) != fmt.Sprint(i) || d.ID != fmt.Sprint("id", i) {
			t.Fatalf("number %d is %s with id %s", i, d.Body, d.ID)
		}
	}
	if err := e.EmitBatch(t.Context(), nil); err != nil {
		t.Errorf("an empty batch: %v", err)
	}
}

func TestBatchNamesItsFailures(t *testing.T) {
	broker, _ := installation(t, 1)
	e := over(t, broker, emitter.Options{})
	broker.SetPublishHook(func(_ string, m amqpbus.Message) membus.Fate {
		if m.Key == "jobs-bad" {
			return membus.FateRefuse
		}
		return membus.FatePass
	})
	err := e.EmitBatch(t.Context(), []emitter.Event{
		{Group: "jobs-1", Payload: []byte(`1`)}, {Group: "jobs-bad", Payload: []byte(`2`)}, {Group: "jobs-3", Payload: []byte(`3`)},
	})
	problem, ok := errors.AsType[*emitter.BatchError](err)
	if !ok || !errors.Is(err, emitter.ErrRefused) || problem.Total != 3 || len(problem.Failures) != 1 || problem.Failures[0].Index != 1 {
		t.Fatalf("%v", err)
	}
	err = e.EmitBatch(t.Context(), []emitter.Event{{Group: "jobs-1", Payload: []byte(`1`)}, {Group: "nonsense", Payload: []byte(`2`)}})
	if !errors.Is(err, emitter.ErrInvalid) {
		t.Error(err)
	}
	if n := ready(t, broker, amqpbus.LogQueue(1, 0)); n != 2 {
		t.Errorf("%d events in the queue: a batch with an invalid event was sent in part", n)
	}
}

func TestPayloadIsCopied(t *testing.T) {
	broker, bus := installation(t, 1)
	broker.Block("memory")
	e := over(t, broker, emitter.Options{Quiet: true})
	payload := []byte(`"first"`)
	if err := e.Emit(t.Context(), "jobs-1", payload); err != nil {
		t.Fatal(err)
	}
	copy(payload, `"other"`)
	broker.Unblock()
	if got := receive(t, bus, amqpbus.LogQueue(1, 0), 1)[0]; string(got.Body) != `"first"` {
		t.Errorf("got %s", got.Body)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, o := range map[string]emitter.Options{
		"shards":           {URL: "amqp://guest:guest@127.0.0.1/", Shards: 257},
		"window":           {URL: "amqp://guest:guest@127.0.0.1/", Window: 1001},
		"expiration":       {URL: "amqp://guest:guest@127.0.0.1/", Expiration: time.Microsecond},
		"scheme":           {URL: "http://127.0.0.1/"},
		"no TLS":           {URL: "amqp://u:hidden@broker.example/"},
		"not a URL":        {URL: "amqp://u:hid%zzden@127.0.0.1/"},
		"other host":       {URL: "embedded://:hidden@192.0.2.1:9051"},
		"no secret":        {URL: "embedded://127.0.0.1:9051"},
		"no port":          {URL: "embedded://:hidden@127.0.0.1"},
		"nothing whatever": {},
	} {
		t.Setenv("BELFRY_EMIT_SECRET", "")
		_, err := emitter.Open(o)
		if err == nil || strings.Contains(err.Error(), "hid") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
