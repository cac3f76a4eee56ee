package tracing

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.uber.org/zap"
)

type metrics struct{ ended, exported, failed prometheus.Counter }

func newMetrics(reg prometheus.Registerer) *metrics {
	spans := promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
		Name: "belfry_trace_spans_total",
		Help: "Spans by outcome: ended, and of these exported (the collector has them) and failed (it does not); the rest waits or was dropped. Only with BELFRY_TRACE_URL.",
	}, []string{"outcome"})
	return &metrics{
		ended:    spans.WithLabelValues("ended"),
		exported: spans.WithLabelValues("exported"),
		failed:   spans.WithLabelValues("failed"),
	}
}

// counted is an exporter that counts and logs the results of another. It does not return errors,
// because the library would print them to standard error.
type counted struct {
	sdk.SpanExporter
	metrics *metrics
	log     *zap.Logger
	away    bool // the last export failed; owned by the one goroutine that exports
}

// ExportSpans implements sdk.SpanExporter. It logs once when the collector goes
// away, and once when it is back.
func (c *counted) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := c.SpanExporter.ExportSpans(ctx, spans)
	if err != nil {
		c.metrics.failed.Add(float64(len(spans)))
		if !c.away {
			c.log.Warn("trace collector does not accept spans: dropping them, events are not affected", zap.Error(err))
		}
		c.away = true
		return nil
	}
	c.metrics.exported.Add(float64(len(spans)))
	if c.away {
		c.log.Info("trace collector accepts spans again")
	}
	c.away = false
	return nil
}
