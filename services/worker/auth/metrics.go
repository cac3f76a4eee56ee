package auth

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics counts what is asked of issuers, and what of their tokens is passed
// over.
type Metrics struct {
	fetched, fetchFailed prometheus.Counter
	keys, keysSkipped    prometheus.Gauge

	introspected, introspectionFailed        prometheus.Counter
	introspectionCached, introspectionShared prometheus.Counter
	introspectionBusy                        prometheus.Counter

	ignored *prometheus.CounterVec
}

// NewMetrics registers the metrics; reg may be nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	factory := promauto.With(reg)
	fetches := factory.NewCounterVec(prometheus.CounterOpts{
		Name: "belfry_worker_key_set_fetches_total",
		Help: "Fetches of BELFRY_JWT_KEYS_URL, by outcome.",
	}, []string{"outcome"})
	questions := factory.NewCounterVec(prometheus.CounterOpts{
		Name: "belfry_worker_introspections_total",
		Help: "Opaque tokens by how they were checked: answered, failed, busy (no place became free), cached and shared (not sent).",
	}, []string{"outcome"})
	m := &Metrics{
		fetched:     fetches.WithLabelValues("ok"),
		fetchFailed: fetches.WithLabelValues("failed"),
		keys: factory.NewGauge(prometheus.GaugeOpts{
			Name: "belfry_worker_key_set_keys",
			Help: "Keys of the fetched key set that can check tokens.",
		}),
		keysSkipped: factory.NewGauge(prometheus.GaugeOpts{
			Name: "belfry_worker_key_set_keys_skipped",
			Help: "Keys of the fetched key set that were passed over.",
		}),
		introspected:        questions.WithLabelValues("answered"),
		introspectionFailed: questions.WithLabelValues("failed"),
		introspectionBusy:   questions.WithLabelValues("busy"),
		introspectionCached: questions.WithLabelValues("cached"),
		introspectionShared: questions.WithLabelValues("shared"),
		ignored: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_worker_claims_ignored_total",
			Help: "Parts of tokens' groups claims that grant nothing, because they are not understood.",
		}, []string{"reason"}),
	}
	for reason := range ignoredTexts {
		m.ignored.WithLabelValues(reason)
	}
	return m
}
