package emitter_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/membus"
	"belfry/pkg/emitter"
	"belfry/pkg/protocol"
)

type traceKey struct{}

// tracer returns the trace that is in the context, and records the outcomes.
type tracer struct {
	mu       sync.Mutex
	outcomes []string
}

func (t *tracer) trace(ctx context.Context, group string) (string, func(error)) {
	text, _ := ctx.Value(traceKey{}).(string)
	if text == "" {
		return "", nil
	}
	return text, func(err error) {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.outcomes = append(t.outcomes, fmt.Sprint(group, " ", errors.Is(err, emitter.ErrRefused)))
	}
}

// TestTraceIsSentWithEvent: the trace in the context is sent with each event, with and
// without shards, and gets each event's outcome once.
func TestTraceIsSentWithEvent(t *testing.T) {
	for _, shards := range []int{1, 4} {
		broker, bus := installation(t, shards)
		var tr tracer
		e := over(t, broker, emitter.Options{Shards: shards, Trace: tr.trace})
		broker.SetPublishHook(func(_ string, m amqpbus.Message) membus.Fate {
			if string(m.Body) == `"refused"` {
				return membus.FateRefuse
			}
			return membus.FatePass
		})
		ctx := context.WithValue(t.Context(), traceKey{}, "of the context")
		err := e.EmitBatch(ctx, []emitter.Event{
			{Group: "a-1", Payload: []byte(`1`)},
			{Group: "a-1", Payload: []byte(`2`), Trace: "its own"},
			{Group: "a-1", Payload: []byte(`"refused"`)},
		})
		if !errors.Is(err, emitter.ErrRefused) {
			t.Fatal(err)
		}
		if err := e.Emit(t.Context(), "a-1", []byte(`3`)); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, d := range receive(t, bus, amqpbus.LogQueue(shards, protocol.ShardOf("a-1", shards)), 3) {
			got = append(got, d.Headers[amqpbus.HeaderTrace])
		}
		if want := []string{"of the context", "its own", ""}; !slices.Equal(got, want) {
			t.Errorf("%d shards: on the wire is %q, want %q", shards, got, want)
		}
		if want := []string{"a-1 false", "a-1 true"}; !slices.Equal(tr.outcomes, want) {
			t.Errorf("%d shards: reported %q, want %q", shards, tr.outcomes, want)
		}
	}
}

// TestInvalidBatchIsNotTraced: the Trace option is not called for a batch that is not sent.
// A traceparent that is too long makes an event invalid.
func TestInvalidBatchIsNotTraced(t *testing.T) {
	broker, _ := installation(t, 1)
	var tr tracer
	e := over(t, broker, emitter.Options{Trace: tr.trace})
	ctx := context.WithValue(t.Context(), traceKey{}, "of the context")
	err := e.EmitBatch(ctx, []emitter.Event{
		{Group: "a-1", Payload: []byte(`1`)},
		{Group: "a-1", Payload: []byte(`2`), Trace: strings.Repeat("x", 129)},
	})
	if !errors.Is(err, emitter.ErrInvalid) || len(tr.outcomes) != 0 {
		t.Errorf("got %v, told %q", err, tr.outcomes)
	}
}

// TestTraceThroughEndpoint: the endpoint of `belfry dev` passes the trace on.
func TestTraceThroughEndpoint(t *testing.T) {
	broker, bus := installation(t, 1)
	inner := over(t, broker, emitter.Options{})
	mux := http.NewServeMux()
	emitter.Handle(mux, inner, "secret")
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	outer, err := emitter.Open(emitter.Options{URL: strings.Replace(server.URL, "http://", "embedded://:secret@", 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = outer.Close(context.Background()) })
	if err := outer.EmitEvent(t.Context(), emitter.Event{Group: "a-1", Payload: []byte(`1`), Trace: "through"}); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, bus, amqpbus.LogQueue(1, 0), 1)[0].Headers[amqpbus.HeaderTrace]; got != "through" {
		t.Errorf("on the wire is %q", got)
	}
}
