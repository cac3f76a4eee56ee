package emitter

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// metrics holds an emitter's counters. Emitters with the same registry share them.
type metrics struct {
	events *prometheus.CounterVec
	sends  prometheus.Counter
}

// outcomes are the values of the label `outcome`.
var outcomes = []string{"confirmed", "refused", "unroutable", "denied", "invalid", "unknown", "closed"}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_emitter_events_total", Help: "Events that were settled, by outcome.",
		}, []string{"outcome"}),
		sends: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_emitter_sends_total", Help: "Publishes, those of events that were sent again included.",
		}),
	}
	var err error
	if r != nil {
		var err2 error
		m.events, err = register(r, m.events)
		m.sends, err2 = register(r, m.sends)
		err = errors.Join(err, err2)
	}
	for _, outcome := range outcomes {
		m.events.WithLabelValues(outcome)
	}
	return m, err
}

// register registers a collector, or returns the one that is registered under its name.
func register[C prometheus.Collector](r prometheus.Registerer, c C) (C, error) {
	err := r.Register(c)
	if already, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if existing, ok := already.ExistingCollector.(C); ok {
			return existing, nil
		}
	}
	if err != nil {
		return c, fmt.Errorf("register the metrics: %w", err)
	}
	return c, nil
}

func (m *metrics) sending() { m.sends.Inc() }

func outcomeOf(err error) string {
	switch {
	case err == nil:
		return "confirmed"
	case errors.Is(err, ErrRefused):
		return "refused"
	case errors.Is(err, ErrUnroutable):
		return "unroutable"
	case errors.Is(err, ErrDenied):
		return "denied"
	case errors.Is(err, ErrInvalid):
		return "invalid"
	case errors.Is(err, ErrClosed):
		return "closed"
	default:
		return "unknown"
	}
}

// count counts an event's outcome. With Options.Quiet it also logs failures.
func (e *Emitter) count(err error) {
	e.metrics.events.WithLabelValues(outcomeOf(err)).Inc()
	if err != nil {
		e.quiet.note(err, e.options.Quiet)
	}
}

// quietPeriod is the minimum time between two log lines about failed events.
const quietPeriod = 10 * time.Second

// quiet counts failures and logs them at most once in quietPeriod.
type quiet struct {
	log *zap.Logger

	mu     sync.Mutex
	total  uint64    // guarded by mu: failures
	logged uint64    // guarded by mu: failures that a log line has reported
	last   time.Time // guarded by mu: when the last line was logged
}

func (q *quiet) note(err error, say bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.total++
	if now := time.Now(); say && now.Sub(q.last) >= quietPeriod {
		q.log.Error("events were not confirmed by the broker", zap.Uint64("events", q.total-q.logged), zap.Uint64("in_all", q.total), zap.Error(err))
		q.logged, q.last = q.total, now
	}
}

func (q *quiet) failed() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.total
}
