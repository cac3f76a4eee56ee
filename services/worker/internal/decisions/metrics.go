package decisions

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

// Label values.
const (
	kindConnect   = "connect"
	kindSubscribe = "subscribe"

	answerSent    = "sent"
	answerGone    = "gateway_gone" // the gateway has no reply queue any more
	answerRefused = "refused"      // the reply queue is full
	answerLate    = "late"         // not confirmed before the deadline
	answerFailed  = "failed"
)

// Metrics counts questions and answers.
type Metrics struct {
	questions *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
	answers   *prometheus.CounterVec
	parked    *prometheus.CounterVec
	panics    prometheus.Counter
	busy      prometheus.Gauge
}

// NewMetrics registers the metrics; reg may be nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	factory := promauto.With(reg)
	m := &Metrics{
		questions: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_worker_questions_total",
			Help: "Questions of gateways by kind and verdict.",
		}, []string{"kind", "verdict"}),
		seconds: factory.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "belfry_worker_question_seconds",
			Help:    "How long deciding a question took.",
			Buckets: []float64{.0001, .0005, .001, .005, .01, .05, .1, .5, 1, 2, 5},
		}, []string{"kind"}),
		answers: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_worker_answers_total",
			Help: "Decisions by what became of them.",
		}, []string{"outcome"}),
		parked: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_worker_session_parked_total",
			Help: "Messages of the question queue that were parked in belfry.dead, without their bodies.",
		}, []string{"reason"}),
		panics: factory.NewCounter(prometheus.CounterOpts{
			Name: "belfry_worker_session_panics_total",
			Help: "Panics that were recovered while answering.",
		}),
		busy: factory.NewGauge(prometheus.GaugeOpts{
			Name: "belfry_worker_session_handlers",
			Help: "Questions that are being answered now.",
		}),
	}
	for _, kind := range []string{kindConnect, kindSubscribe} {
		m.seconds.WithLabelValues(kind)
		for _, v := range []protocol.Verdict{protocol.VerdictAccept, protocol.VerdictRefuse, protocol.VerdictUnavailable} {
			m.questions.WithLabelValues(kind, string(v))
		}
	}
	for _, outcome := range []string{answerSent, answerGone, answerRefused, answerLate, answerFailed} {
		m.answers.WithLabelValues(outcome)
	}
	for _, reason := range []string{parkedUser, parkedDecode, parkedUnknown} {
		m.parked.WithLabelValues(reason)
	}
	return m
}

func (m *Metrics) decided(kind string, verdict protocol.Verdict, took time.Duration) {
	m.questions.WithLabelValues(kind, string(verdict)).Inc()
	m.seconds.WithLabelValues(kind).Observe(took.Seconds())
}

func answerOutcome(err error) string {
	switch {
	case err == nil:
		return answerSent
	case errors.Is(err, amqpbus.ErrUnroutable):
		return answerGone
	case errors.Is(err, amqpbus.ErrRefused):
		return answerRefused
	case errors.Is(err, amqpbus.ErrLinkLost), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return answerLate
	}
	return answerFailed
}
