package rabbit

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"belfry/pkg/amqpbus"
)

// metrics may be nil: a Bus without a Registerer measures nothing.
type metrics struct {
	connected  *prometheus.GaugeVec
	reconnects *prometheus.CounterVec
	blocked    prometheus.Gauge
	publish    *prometheus.HistogramVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	if r == nil {
		return nil
	}
	m := &metrics{
		connected: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "belfry_bus_connected",
			Help: "1 while the link to the broker is up."}, []string{"link"}),
		reconnects: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "belfry_bus_reconnects_total",
			Help: "Times that a link to the broker was lost or could not be made."}, []string{"link"}),
		blocked: prometheus.NewGauge(prometheus.GaugeOpts{Name: "belfry_bus_blocked",
			Help: "1 while the broker has an alarm and takes no publishes."}),
		publish: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "belfry_bus_publish_seconds",
			Help:    "Time from a publish to the broker's verdict.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}}, []string{"outcome"}),
	}
	for _, link := range []string{"publish", "consume"} {
		m.connected.WithLabelValues(link)
		m.reconnects.WithLabelValues(link)
	}
	for _, outcome := range []string{"confirmed", "refused", "unroutable", "lost"} {
		m.publish.WithLabelValues(outcome)
	}
	r.MustRegister(m.connected, m.reconnects, m.blocked, m.publish)
	return m
}

func (m *metrics) setConnected(link string, up bool) {
	if m != nil {
		m.connected.WithLabelValues(link).Set(number(up))
	}
}

func (m *metrics) reconnect(link string) {
	if m != nil {
		m.reconnects.WithLabelValues(link).Inc()
	}
}

func (m *metrics) setBlocked(blocked bool) {
	if m != nil {
		m.blocked.Set(number(blocked))
	}
}

func (m *metrics) published(verdict error, took time.Duration) {
	if m == nil {
		return
	}
	outcome := "confirmed"
	switch {
	case errors.Is(verdict, amqpbus.ErrRefused):
		outcome = "refused"
	case errors.Is(verdict, amqpbus.ErrUnroutable):
		outcome = "unroutable"
	case verdict != nil:
		outcome = "lost"
	}
	m.publish.WithLabelValues(outcome).Observe(took.Seconds())
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
