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
	events, batches, stale, repeated         prometheus.Counter
	duplicates, otherBody, forgotten         prometheus.Counter
	remembered, lost                         prometheus.Gauge
	gaps, rejected, questions, announcements *prometheus.CounterVec
	questionSeconds                          *prometheus.HistogramVec
	joins                                    prometheus.Histogram
	unjoined, late                           prometheus.Counter
	reports, reportsDropped                  prometheus.Counter

	last continuity.Stats // owned by the receiver's goroutine
}

// seconds are the buckets of what should take a broker's round trip.
var seconds = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	gauge := func(name, help string) prometheus.Gauge {
		return f.NewGauge(prometheus.GaugeOpts{Name: "belfry_gateway_" + name, Help: help})
	}
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Name: "belfry_gateway_" + name, Help: help})
	}
	vec := func(name, help, label string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: "belfry_gateway_" + name, Help: help}, []string{label})
	}
	m := &metrics{
		events:        counter("events_received_total", "Events accepted from the reply queue."),
		batches:       counter("batches_received_total", "Batches accepted from the reply queue."),
		stale:         counter("stale_refused_total", "Messages of a reign below the fence."),
		repeated:      counter("batches_repeated_total", "Batches whose number was seen before."),
		duplicates:    counter("duplicates_dropped_total", "Events that were delivered before, recognised by id, group and body."),
		otherBody:     counter("duplicates_other_body_total", "Events with the id of another one and another body, delivered."),
		forgotten:     counter("duplicates_forgotten_total", "Remembered events given up early for want of room."),
		remembered:    gauge("events_remembered", "Events remembered to recognise duplicates now."),
		lost:          gauge("shards_without_route", "Shards from which nothing can come now."),
		gaps:          vec("gaps_declared_total", "Gaps declared for a shard or its groups.", "cause"),
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

// continuity adds what the core counted since the last call.
func (m *metrics) continuity(c *continuity.Core) {
	s := c.Stats()
	last := m.last
	m.last = s
	add := func(counter prometheus.Counter, now, before uint64) { counter.Add(float64(now - before)) }
	add(m.events, s.Events, last.Events)
	add(m.batches, s.Batches, last.Batches)
	add(m.stale, s.Stale, last.Stale)
	add(m.repeated, s.Repeated, last.Repeated)
	add(m.duplicates, s.Duplicates, last.Duplicates)
	add(m.otherBody, s.OtherBody, last.OtherBody)
	add(m.forgotten, s.Forgotten, last.Forgotten)
	m.remembered.Set(float64(s.Remembered))
	m.lost.Set(float64(c.LostRoutes()))
	for _, cause := range continuity.Causes {
		add(m.gaps.WithLabelValues(cause.String()), s.Gaps[cause], last.Gaps[cause])
	}
}
