package relay

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"belfry/pkg/protocol"
)

// Label values.
const (
	rejectedUser   = "user"
	rejectedDecode = "decode"

	outcomeOK     = "ok"
	outcomeFailed = "failed"
)

type metrics struct {
	rejected, questions     *prometheus.CounterVec
	questionSeconds         *prometheus.HistogramVec
	joins                   prometheus.Histogram
	unjoined, late          prometheus.Counter
	reports, reportsDropped prometheus.Counter
}

// seconds are the buckets of what should take a broker's round trip.
var seconds = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Name: "belfry_gateway_" + name, Help: help})
	}
	vec := func(name, help, label string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: "belfry_gateway_" + name, Help: help}, []string{label})
	}
	m := &metrics{
		rejected:  vec("replies_rejected_total", "Messages of the reply queue that were passed over.", "reason"),
		questions: vec("questions_total", "Questions to workers, by outcome.", "outcome"),
		questionSeconds: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: "belfry_gateway_question_seconds", Help: "From asking a worker to its decision.", Buckets: seconds,
		}, []string{"kind"}),
		joins: f.NewHistogram(prometheus.HistogramOpts{
			Name: "belfry_gateway_join_seconds", Help: "From wanting groups to their active routes.", Buckets: seconds,
		}),
		unjoined:       counter("joins_failed_total", "Waits for routes that took too long."),
		late:           counter("decisions_late_total", "Decisions for which nobody waited any more."),
		reports:        counter("life_reports_total", "Reports of connection life that a worker has published."),
		reportsDropped: counter("life_reports_dropped_total", "Reports dropped because no worker took them."),
	}
	for _, reason := range []string{rejectedUser, rejectedDecode} {
		m.rejected.WithLabelValues(reason)
	}
	for _, outcome := range []string{outcomeOK, outcomeFailed} {
		m.questions.WithLabelValues(outcome)
	}
	for _, kind := range []string{protocol.TypeConnect, protocol.TypeSubscribe} {
		m.questionSeconds.WithLabelValues(kind)
	}
	return m
}

func outcomeOf(err error) string {
	if err != nil {
		return outcomeFailed
	}
	return outcomeOK
}

func (m *metrics) reject(undecodable bool) {
	reason := rejectedUser
	if undecodable {
		reason = rejectedDecode
	}
	m.rejected.WithLabelValues(reason).Inc()
}

func (m *metrics) asked(kind string, err error, started time.Time) {
	m.questions.WithLabelValues(outcomeOf(err)).Inc()
	m.questionSeconds.WithLabelValues(kind).Observe(time.Since(started).Seconds())
}
