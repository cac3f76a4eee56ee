package relay

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"belfry/pkg/protocol"
	"belfry/services/gateway/relay/continuity"
	"belfry/services/gateway/relay/interest"
)

// Label values.
const (
	rejectedUser   = "user"
	rejectedDecode = "decode"

	outcomeOK     = "ok"
	outcomeFailed = "failed"
)

type metrics struct {
	events, batches, stale, repeated   prometheus.Gauge
	duplicates, otherBody, forgotten   prometheus.Gauge
	remembered, lost                   prometheus.Gauge
	gaps                               *prometheus.GaugeVec
	rejected, questions, announcements *prometheus.CounterVec
	questionSeconds                    *prometheus.HistogramVec
	joins                              prometheus.Histogram
	unjoined, late                     prometheus.Counter
	reports, reportsDropped            prometheus.Counter
}

// seconds are the buckets of what should take a broker's round trip.
var seconds = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	// The core's own counts are read a few times a second: gauges that only grow.
	count := func(name, help string) prometheus.Gauge {
		return f.NewGauge(prometheus.GaugeOpts{Name: "belfry_gateway_" + name, Help: help})
	}
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Name: "belfry_gateway_" + name, Help: help})
	}
	vec := func(name, help, label string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: "belfry_gateway_" + name, Help: help}, []string{label})
	}
	m := &metrics{
		events:     count("events_received", "Events accepted from the reply queue since the start."),
		batches:    count("batches_received", "Batches accepted from the reply queue since the start."),
		stale:      count("stale_refused", "Messages of a reign below the fence since the start."),
		repeated:   count("batches_repeated", "Batches whose number was seen before, since the start."),
		duplicates: count("duplicates_dropped", "Events that were delivered before, recognised by id, group and body, since the start."),
		otherBody:  count("duplicates_other_body", "Events with the id of another one and another body, delivered, since the start."),
		forgotten:  count("duplicates_forgotten", "Remembered events given up early for want of room, since the start."),
		remembered: count("events_remembered", "Events remembered to recognise duplicates now."),
		lost:       count("shards_without_route", "Shards from which nothing can come now."),
		gaps: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "belfry_gateway_gaps_declared", Help: "Gaps declared for a shard or its groups since the start, by cause.",
		}, []string{"cause"}),
		rejected:      vec("replies_rejected_total", "Messages of the reply queue that were passed over.", "reason"),
		announcements: vec("interest_published_total", "Interest and heartbeats published to the shards.", "outcome"),
		questions:     vec("questions_total", "Questions to workers, by outcome.", "outcome"),
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
		m.announcements.WithLabelValues(outcome)
		m.questions.WithLabelValues(outcome)
	}
	for _, kind := range []string{protocol.TypeConnect, protocol.TypeSubscribe} {
		m.questionSeconds.WithLabelValues(kind)
	}
	for _, cause := range continuity.Causes {
		m.gaps.WithLabelValues(cause.String())
	}
	return m
}

func outcomeOf(err error) string {
	if err != nil {
		return outcomeFailed
	}
	return outcomeOK
}

func (m *metrics) announced(_ interest.Kind, err error) {
	m.announcements.WithLabelValues(outcomeOf(err)).Inc()
}

func (m *metrics) asked(kind string, err error, started time.Time) {
	m.questions.WithLabelValues(outcomeOf(err)).Inc()
	m.questionSeconds.WithLabelValues(kind).Observe(time.Since(started).Seconds())
}

func (m *metrics) continuity(c *continuity.Core) {
	s := c.Stats()
	m.events.Set(float64(s.Events))
	m.batches.Set(float64(s.Batches))
	m.stale.Set(float64(s.Stale))
	m.repeated.Set(float64(s.Repeated))
	m.duplicates.Set(float64(s.Duplicates))
	m.otherBody.Set(float64(s.OtherBody))
	m.forgotten.Set(float64(s.Forgotten))
	m.remembered.Set(float64(s.Remembered))
	m.lost.Set(float64(c.LostRoutes()))
	for _, cause := range continuity.Causes {
		m.gaps.WithLabelValues(cause.String()).Set(float64(s.Gaps[cause]))
	}
}
