package tracing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.opentelemetry.io/otel/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	sampled  = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	dropped  = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
	personal = "limit_reached_ann"
)

// receive starts a collector and gives what it was sent, as text.
func receive(t *testing.T, status int) (url string, got func() string) {
	t.Helper()
	var mu sync.Mutex
	var all strings.Builder
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var m collector.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &m); err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, rs := range m.ResourceSpans {
			fmt.Fprintln(&all, rs.Resource)
			for _, ss := range rs.ScopeSpans {
				for _, s := range ss.Spans {
					fmt.Fprintf(&all, "%s %x parent %x: %v\n", s.Name, s.SpanId, s.ParentSpanId, s)
				}
			}
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/v1/traces", func() string {
		mu.Lock()
		defer mu.Unlock()
		return all.String()
	}
}

func open(t *testing.T, url string, reg prometheus.Registerer) *Tracer {
	t.Helper()
	tr, err := Open(Options{URL: url, Service: "belfry-test", Instance: "test.1", Version: "v0", Registerer: reg})
	if err != nil || tr == nil {
		t.Fatal(tr, err)
	}
	return tr
}

func closeWithin(t *testing.T, tr *Tracer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := tr.Close(ctx); err != nil {
		t.Error(err)
	}
}

func TestSpansOfAnEvent(t *testing.T) {
	url, got := receive(t, http.StatusOK)
	reg := prometheus.NewRegistry()
	tr := open(t, url, reg)
	onward, end := tr.Route(sampled, "control-"+personal, 3)
	s := tr.Write(onward, "control-"+personal, 5)
	s.End(errors.New("said " + personal))
	end()
	if onward[:36] != sampled[:36] || onward[36:52] == sampled[36:52] || onward[52:] != "-01" {
		t.Errorf("onward travels %s after %s", onward, sampled)
	}
	closeWithin(t, tr)
	for _, want := range []string{
		"parent b7ad6b7169203331", "parent " + onward[36:52], "belfry-test", "test.1", `"control"`, "belfry.shard", "belfry.members", "STATUS_CODE_ERROR",
	} {
		if !strings.Contains(got(), want) {
			t.Errorf("there is no %s in %s", want, got())
		}
	}
	if strings.Contains(got(), personal) || strings.Contains(got(), "ann") {
		t.Errorf("a user's id is in %s", got())
	}
	want := `# HELP belfry_trace_spans_total Spans by outcome: ended, and of these exported (the collector has them) and failed (it does not); the rest waits or was dropped. Only with BELFRY_TRACE_URL.
# TYPE belfry_trace_spans_total counter
belfry_trace_spans_total{outcome="ended"} 2
belfry_trace_spans_total{outcome="exported"} 2
belfry_trace_spans_total{outcome="failed"} 0
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

// An emit's span is a child of the application's own, where that is sampled.
func TestEmit(t *testing.T) {
	url, got := receive(t, http.StatusOK)
	tr := open(t, url, nil)
	for _, row := range []struct {
		parent string
		spans  bool
	}{{sampled, true}, {dropped, false}} {
		parent, _ := parse(strings.Replace(row.parent, "-00", "-01", 1))
		if !row.spans {
			parent = parent.WithTraceFlags(0)
		}
		ctx := trace.ContextWithSpanContext(context.Background(), parent)
		traceparent, settled := tr.Emit(ctx, "a-1")
		if (settled != nil) != row.spans || (traceparent != row.parent) != row.spans {
			t.Errorf("%s: got %s", row.parent, traceparent)
		}
		if settled != nil {
			settled(nil)
		}
	}
	if traceparent, settled := tr.Emit(context.Background(), "a-1"); traceparent != "" || settled != nil {
		t.Errorf("a trace was begun: %s", traceparent)
	}
	closeWithin(t, tr)
	if n := strings.Count(got(), "emit "); n != 1 {
		t.Errorf("%d spans, want 1: %s", n, got())
	}
}

// Only a well-formed, sampled traceparent makes a span; every other one travels
// on as it came.
func TestUntracedEvents(t *testing.T) {
	url, _ := receive(t, http.StatusOK)
	tr := open(t, url, nil)
	defer closeWithin(t, tr)
	zero := strings.Repeat("0", 32)
	for _, text := range []string{
		"", "00", dropped, sampled + "-more", sampled[:54], strings.ToUpper(sampled), "01" + sampled[2:], "ff" + sampled[2:],
		strings.Replace(sampled, "0af7", "0ag7", 1), "00-" + zero + sampled[35:], sampled[:36] + zero[:16] + "-01",
		strings.ReplaceAll(sampled, "-", "_"), sampled[:53] + "0x",
	} {
		if onward, end := tr.Route(text, "a-1", 0); onward != text || end != nil {
			t.Errorf("%q is traced, onward travels %q", text, onward)
		}
		if s := tr.Write(text, "a-1", 1); s != nil {
			t.Errorf("%q is traced", text)
		}
	}
}

// Off, and on for an event that is not sampled, nothing is allocated.
func TestNothingIsAllocated(t *testing.T) {
	url, _ := receive(t, http.StatusOK)
	on := open(t, url, nil)
	defer closeWithin(t, on)
	for name, c := range map[string]struct {
		tracer *Tracer
		text   string
	}{"off": {nil, sampled}, "on, without a trace": {on, ""}, "on, not sampled": {on, dropped}} {
		n := testing.AllocsPerRun(100, func() {
			if _, end := c.tracer.Route(c.text, "a-1", 0); end != nil {
				t.Error("traced")
			}
			c.tracer.Write(c.text, "a-1", 1).End(nil)
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestOff(t *testing.T) {
	tr, err := Open(Options{})
	if tr != nil || err != nil {
		t.Fatal(tr, err)
	}
	if err := tr.Close(context.Background()); err != nil {
		t.Error(err)
	}
	parent, _ := parse(sampled)
	traceparent, settled := tr.Emit(trace.ContextWithSpanContext(context.Background(), parent), "a-1")
	if traceparent != sampled || settled != nil {
		t.Errorf("off, an emitter passes on %q", traceparent)
	}
}

// A collector that refuses costs spans and nothing else.
func TestCollectorRefuses(t *testing.T) {
	url, _ := receive(t, http.StatusBadRequest)
	reg := prometheus.NewRegistry()
	tr := open(t, url, reg)
	_, end := tr.Route(sampled, "a-1", 0)
	end()
	closeWithin(t, tr)
	if n := testutil.ToFloat64(tr.metrics.failed); n != 1 {
		t.Errorf("%v failed spans were counted", n)
	}
}

func BenchmarkRouteOff(b *testing.B) {
	var tr *Tracer
	for b.Loop() {
		tr.Route(sampled, "a-1", 0)
	}
}
