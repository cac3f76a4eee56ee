package access

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics counts what was asked of the application.
type Metrics struct {
	answered, failed, busy  prometheus.Counter
	cached, shared, unasked prometheus.Counter
	seconds                 prometheus.Histogram
}

// NewMetrics registers the metrics; reg may be nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	factory := promauto.With(reg)
	questions := factory.NewCounterVec(prometheus.CounterOpts{
		Name: "belfry_worker_application_questions_total",
		Help: "Questions to the application by outcome: answered, failed, busy (no place in the pool), cached and shared (not sent).",
	}, []string{"outcome"})
	return &Metrics{
		answered: questions.WithLabelValues("answered"),
		failed:   questions.WithLabelValues("failed"),
		busy:     questions.WithLabelValues("busy"),
		cached:   questions.WithLabelValues("cached"),
		shared:   questions.WithLabelValues("shared"),
		unasked: factory.NewCounter(prometheus.CounterOpts{
			Name: "belfry_worker_application_unasked_total",
			Help: "Groups that the application allowed without having been asked; they are passed over.",
		}),
		seconds: factory.NewHistogram(prometheus.HistogramOpts{
			Name:    "belfry_worker_application_seconds",
			Help:    "How long questions to the application took, waiting for a place included.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2},
		}),
	}
}

func (m *Metrics) observe(err error, took time.Duration) {
	m.seconds.Observe(took.Seconds())
	if err != nil {
		m.failed.Inc()
	} else {
		m.answered.Inc()
	}
}
