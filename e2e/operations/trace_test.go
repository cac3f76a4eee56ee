package operations

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"belfry/e2e/harness"
	"belfry/pkg/emitter"
	"belfry/pkg/tracing"
)

// span is one as the collector got it.
type span struct {
	name, trace, id, parent, service string
	begin, end                       uint64
	text                             string // all of it
}

// receiver is a collector.
type receiver struct {
	url   string
	mu    sync.Mutex
	spans []span
}

func receive(t *testing.T) *receiver {
	r := &receiver{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		body, _ := io.ReadAll(request.Body)
		var m collector.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &m); err != nil {
			t.Errorf("%s: %v", request.URL, err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, rs := range m.ResourceSpans {
			for _, ss := range rs.ScopeSpans {
				for _, s := range ss.Spans {
					one := span{
						name: s.Name, trace: hex.EncodeToString(s.TraceId), id: hex.EncodeToString(s.SpanId),
						parent: hex.EncodeToString(s.ParentSpanId), begin: s.StartTimeUnixNano, end: s.EndTimeUnixNano,
						text: fmt.Sprint(rs.Resource, s),
					}
					for _, a := range rs.Resource.Attributes {
						if a.Key == "service.name" {
							one.service = a.Value.GetStringValue()
						}
					}
					r.spans = append(r.spans, one)
				}
			}
		}
	}))
	t.Cleanup(server.Close)
	r.url = server.URL + "/v1/traces"
	return r
}

func (r *receiver) all() []span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.spans)
}

// of gives the spans of one trace, sorted by name and service.
func (r *receiver) of(id string) []span {
	spans := slices.DeleteFunc(r.all(), func(s span) bool { return s.trace != id })
	slices.SortFunc(spans, func(a, b span) int { return strings.Compare(a.name+a.id, b.name+b.id) })
	return spans
}

const tracedPayload = `{"group_name": "control", "reason": "a-payload-nobody-traces"}`

// TestOneTrace: an emit whose context is sampled is one trace through real
// processes and a real broker: emit -> route -> write in both gateways with
// members. What is not sampled is in none.
func TestOneTrace(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	for _, shards := range []int{1, 2} {
		t.Run(fmt.Sprint(shards, " shards"), func(t *testing.T) { oneTrace(t, shards) })
	}
}

func oneTrace(t *testing.T, shards int) {
	got := receive(t)
	in := harness.Start(t, harness.Shape{Gateways: 3, Workers: 1, Shards: shards, Env: []string{"BELFRY_DRAIN_NOTICE=0s", "BELFRY_TRACE_URL=" + got.url}})
	members := []interface {
		Next(time.Duration) (string, error)
	}{
		join(t, in.Addr(0), harness.TokenAdmin, "control", "limit_reached_7"),
		join(t, in.Addr(0), harness.TokenAdmin, "control", "limit_reached_7"),
		join(t, in.Addr(1), harness.TokenAdmin, "control", "limit_reached_7"),
	}
	tracer, err := tracing.Open(tracing.Options{URL: got.url, Service: "application"})
	if err != nil {
		t.Fatal(err)
	}
	e, err := emitter.Open(emitter.Options{URL: in.Broker.BackendURL(), Shards: shards, Trace: tracer.Emit})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close(context.Background()) })
	root := parent(t, "0af7651916cd43dd8448eb211c80319c", trace.FlagsSampled)
	other := parent(t, "1bf7651916cd43dd8448eb211c80319d", 0)
	for _, c := range []trace.SpanContext{root, other} {
		if err := e.Emit(trace.ContextWithSpanContext(t.Context(), c), "control-limit_reached_7", []byte(tracedPayload)); err != nil {
			t.Fatal(err)
		}
	}
	if err := tracer.Close(context.Background()); err != nil {
		t.Error(err)
	}
	for _, m := range members {
		for range 2 {
			if text, err := m.Next(patience); err != nil || text != tracedPayload {
				t.Fatalf("got %s, %v", text, err)
			}
		}
	}
	var spans []span
	until(t, "five spans at the collector", func() bool { spans = got.of(root.TraceID().String()); return len(spans) >= 5 })
	emit := spans[0]
	if emit.name != "emit" || emit.parent != root.SpanID().String() || emit.service != "application" {
		t.Errorf("the emit: %+v", emit)
	}
	// One way to each of the two gateways that have members.
	routes, writes := map[string]span{}, 0
	for _, s := range spans[1:] {
		if s.name == "route" {
			routes[s.id] = s
			if s.parent != emit.id || s.service != "belfry-worker" || s.begin < emit.begin {
				t.Errorf("the route: %+v after %+v", s, emit)
			}
		}
	}
	for _, s := range spans[1:] {
		if s.name == "write" {
			writes++
			route, known := routes[s.parent]
			if !known || s.service != "belfry-gateway" || s.begin < route.begin {
				t.Errorf("the write: %+v after %+v", s, route)
			}
		}
	}
	if len(routes) != 2 || writes != 2 {
		t.Errorf("%d routes and %d writes, want one of each for each gateway with members", len(routes), writes)
	}
	// A stop sends what waits: what comes after it would have come.
	stopAll(t, in)
	if all := got.all(); len(all) != 5 {
		t.Errorf("%d spans, want 5: an event that is not sampled, or a gateway without members, is in them: %+v", len(all), all)
	}
	for _, s := range got.all() {
		for _, secret := range []string{"limit_reached", "nobody-traces", harness.TokenAdmin} {
			if strings.Contains(s.text, secret) {
				t.Errorf("%s is in a span: %s", secret, s.text)
			}
		}
	}
}

func parent(t *testing.T, id string, flags trace.TraceFlags) trace.SpanContext {
	t.Helper()
	traceID, err := trace.TraceIDFromHex(id)
	if err != nil {
		t.Fatal(err)
	}
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: traceID, SpanID: trace.SpanID{1, 2, 3, 4, 5, 6, 7, 8}, TraceFlags: flags})
}

// TestCollectorAway: no collector answers, and no event or stop is held up.
func TestCollectorAway(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	in := harness.Start(t, harness.Shape{Gateways: 1, Workers: 1, Shards: 1, Env: []string{"BELFRY_DRAIN_NOTICE=0s", "BELFRY_TRACE_URL=http://" + harness.FreeAddr(t) + "/v1/traces"}})
	conn := join(t, in.Addr(0), harness.TokenAdmin, "jobs", "summary")
	e, err := emitter.Open(emitter.Options{URL: in.Broker.BackendURL(), Trace: func(context.Context, string) (string, func(error)) {
		return "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close(context.Background()) })
	for i := range 3 {
		payload := fmt.Sprintf(`{"n": %d}`, i)
		if err := e.Emit(t.Context(), "jobs-summary", []byte(payload)); err != nil {
			t.Fatal(err)
		}
		if got := next(t, conn); got != payload {
			t.Errorf("got %s", got)
		}
	}
	stopAll(t, in)
}
