package edge

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	handshakes *prometheus.CounterVec
	unaccepted prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{handshakes: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "belfry_gateway_handshakes_total", Help: "Handshakes, by outcome.",
	}, []string{"outcome"}), unaccepted: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "belfry_gateway_unaccepted_total", Help: "Connections closed before a request: too many of the process or of an address.",
	})}
	for _, r := range refusals {
		m.handshakes.WithLabelValues(r.label)
	}
	for _, label := range []string{labelAccepted, labelToken, labelBroken, labelGone} {
		m.handshakes.WithLabelValues(label)
	}
	if reg != nil {
		reg.MustRegister(m.handshakes, m.unaccepted)
	}
	return m
}
