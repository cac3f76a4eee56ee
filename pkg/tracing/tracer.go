package tracing

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"
)

// Options configures a Tracer.
type Options struct {
	URL        string                // of a collector, as in http://127.0.0.1:4318/v1/traces; empty: off
	Service    string                // such as "belfry-gateway"
	Instance   string                // the process's id
	Version    string                // of the program
	Logger     *zap.Logger           // nil: nothing is logged
	Registerer prometheus.Registerer // nil: no metrics
}

const (
	exportEvery   = time.Second
	exportTimeout = 5 * time.Second
	maxWaiting    = 4096 // most spans that wait for the collector
)

// Tracer makes spans. A nil Tracer makes none.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
	metrics  *metrics
	log      *zap.Logger
}

// Open makes a Tracer. If o.URL is empty, it returns nil and no error. It does not wait for the
// collector. Close the Tracer.
func Open(o Options) (*Tracer, error) {
	if o.URL == "" {
		return nil, nil //nolint:nilnil // a nil Tracer makes no spans
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	// Background: the context only bounds the start, which does no I/O.
	otlp, err := otlptracehttp.New(context.Background(),
		otlptracehttp.WithEndpointURL(o.URL), otlptracehttp.WithTimeout(exportTimeout))
	if err != nil {
		return nil, fmt.Errorf("open the exporter of spans: %w", err)
	}
	m := newMetrics(o.Registerer)
	t := &Tracer{metrics: m, log: o.Logger}
	t.provider = sdk.NewTracerProvider(
		sdk.WithSampler(sdk.ParentBased(sdk.NeverSample())),
		sdk.WithResource(resource.NewSchemaless(
			attribute.String("service.name", o.Service),
			attribute.String("service.instance.id", o.Instance),
			attribute.String("service.version", o.Version))),
		sdk.WithBatcher(&counted{SpanExporter: otlp, metrics: m, log: o.Logger},
			sdk.WithBatchTimeout(exportEvery), sdk.WithMaxQueueSize(maxWaiting), sdk.WithExportTimeout(exportTimeout)),
	)
	t.tracer = t.provider.Tracer("belfry")
	return t, nil
}

// Close sends the waiting spans until ctx ends. It always returns nil, because a collector that
// is away must not make a stop fail.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	if err := t.provider.Shutdown(ctx); err != nil {
		t.log.Warn("last trace spans were not sent before exit", zap.Error(err))
	}
	return nil
}

// Span is a span that has begun. A nil Span does nothing.
type Span struct {
	span    trace.Span
	metrics *metrics
}

// Route begins the span of an event in a worker for one gateway, from its batch's way out until
// the broker has taken it or not. It returns the traceparent to pass
// on and the function that ends the span. If the event is not traced, the function is nil and the
// traceparent is the given one.
func (t *Tracer) Route(traceparent, group string, shard int) (onward string, end func()) {
	s := t.begin("route", trace.SpanKindConsumer, traceparent, group)
	if s == nil {
		return traceparent, nil
	}
	s.span.SetAttributes(attribute.Int("belfry.shard", shard))
	return format(s.span.SpanContext()), func() { s.End(nil) }
}

// Write begins the span of an event in a gateway, until it is in the outboxes of all members and
// their sockets were written to once. It returns nil if the event is not traced.
func (t *Tracer) Write(traceparent, group string, members int) *Span {
	s := t.begin("write", trace.SpanKindConsumer, traceparent, group)
	if s != nil {
		s.span.SetAttributes(attribute.Int("belfry.members", members))
	}
	return s
}

// Emit begins the span of an emit as a child of the span in ctx, if that is sampled. It can be used
// as emitter.Options.Trace. It returns the traceparent to send with the event and the function
// that ends the span.
func (t *Tracer) Emit(ctx context.Context, group string) (traceparent string, settled func(error)) {
	parent := trace.SpanContextFromContext(ctx)
	if t == nil || !parent.IsValid() || !parent.IsSampled() {
		return Traceparent(ctx), nil
	}
	s := t.begin("emit", trace.SpanKindProducer, format(parent), group)
	return format(s.span.SpanContext()), s.End
}

// Traceparent returns the traceparent of the OpenTelemetry span in ctx, or "" if there is none.
func Traceparent(ctx context.Context) string {
	if c := trace.SpanContextFromContext(ctx); c.IsValid() {
		return format(c)
	}
	return ""
}

func (t *Tracer) begin(name string, kind trace.SpanKind, traceparent, group string) *Span {
	if t == nil {
		return nil
	}
	parent, ok := parse(traceparent)
	if !ok {
		return nil
	}
	family, _, _ := strings.Cut(group, "-")
	_, span := t.tracer.Start(trace.ContextWithRemoteSpanContext(context.Background(), parent), name,
		trace.WithSpanKind(kind), trace.WithAttributes(attribute.String("belfry.family", family)))
	return &Span{span: span, metrics: t.metrics}
}

// End ends the span. If err is not nil, the span is marked as failed, without the error's text,
// which may quote a client or the broker.
func (s *Span) End(err error) {
	if s == nil {
		return
	}
	if err != nil {
		s.span.SetStatus(codes.Error, "")
	}
	s.metrics.ended.Inc()
	s.span.End()
}
