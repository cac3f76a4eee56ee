package following

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics are the driver's series.
type metrics struct {
	silent       prometheus.Gauge
	events, gaps prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	return &metrics{
		silent: f.NewGauge(prometheus.GaugeOpts{Name: "belfry_gateway_logs_silent", Help: "Logs from which nothing has come for 30 s: no worker leads them."}),
		events: f.NewCounter(prometheus.CounterOpts{Name: "belfry_gateway_events_received_total", Help: "Events of groups with members here that workers have brought."}),
		gaps:   f.NewCounter(prometheus.CounterOpts{Name: "belfry_gateway_gaps_declared_total", Help: "Gaps declared to a connection, before those within a second are merged."}),
	}
}
