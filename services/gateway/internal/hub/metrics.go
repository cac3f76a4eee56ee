package hub

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"belfry/pkg/protocol"
	"belfry/services/gateway/internal/wsconn"
)

// Options configures a hub.
type Options struct {
	Logger     *zap.Logger           // required
	Registerer prometheus.Registerer // nil: the metrics are not registered
	// Slow is the counter of slow connections that all wsconn.Options share; nil: the
	// metric stays 0.
	Slow *atomic.Int64
}

type metrics struct {
	connections, groups     prometheus.Gauge
	deliveries, bytes, gaps prometheus.Counter
	undeliverable           prometheus.Counter
	closed                  *prometheus.CounterVec
	slow                    prometheus.GaugeFunc
}

func newMetrics(o Options) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "belfry_gateway_" + name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "belfry_gateway_" + name, Help: help})
	}
	m := &metrics{
		connections:   gauge("connections", "Open connections."),
		groups:        gauge("groups", "Groups with at least one member here."),
		deliveries:    counter("deliveries_total", "Events put into the outbox of a connection."),
		bytes:         counter("delivered_bytes_total", "Bytes of frames of these events."),
		gaps:          counter("gaps_total", "Gap frames sent to connections."),
		undeliverable: counter("undeliverable_total", "Events whose payload is not UTF-8; their group got a gap."),
		closed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_gateway_closed_total", Help: "Connections that ended, by reason.",
		}, []string{"reason"}),
	}
	m.slow = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "belfry_gateway_slow_connections", Help: "Connections whose socket takes nothing more now.",
	}, func() float64 {
		if o.Slow == nil {
			return 0
		}
		return float64(o.Slow.Load())
	})
	for _, rule := range protocol.CloseRules {
		m.closed.WithLabelValues(rule.Label)
	}
	m.closed.WithLabelValues(string(wsconn.ByClient))
	m.closed.WithLabelValues(string(wsconn.ByNobody))
	if o.Registerer != nil {
		o.Registerer.MustRegister(m.connections, m.groups, m.deliveries, m.bytes, m.gaps, m.undeliverable, m.closed, m.slow)
	}
	return m
}

func (m *metrics) ended(e wsconn.Ending) { m.closed.WithLabelValues(e.Label()).Inc() }
