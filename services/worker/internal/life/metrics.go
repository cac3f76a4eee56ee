package life

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Label values.
const (
	reportPublished = "published"
	reportRefused   = "refused" // a queue of some service is full
	reportUnknown   = "unknown" // the kind is not documented, or the id is too long

	batchPublished = "published"
	batchRepeated  = "repeated" // it was noted before
	batchFailed    = "failed"   // the gateway sends it again
)

// Metrics counts reports and batches.
type Metrics struct {
	reports, batches *prometheus.CounterVec
}

// NewMetrics registers the metrics; reg may be nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	factory := promauto.With(reg)
	m := &Metrics{
		reports: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_worker_life_reports_total",
			Help: "Reports of connection life by what became of them on belfry.events.",
		}, []string{"outcome"}),
		batches: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_worker_life_batches_total",
			Help: "Batches of life reports by outcome.",
		}, []string{"outcome"}),
	}
	for _, outcome := range []string{reportPublished, reportRefused, reportUnknown} {
		m.reports.WithLabelValues(outcome)
	}
	for _, outcome := range []string{batchPublished, batchRepeated, batchFailed} {
		m.batches.WithLabelValues(outcome)
	}
	return m
}
