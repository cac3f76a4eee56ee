package edge

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	handshakes *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{handshakes: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "belfry_gateway_handshakes_total", Help: "Handshakes, by outcome.",
	}, []string{"outcome"})}
	for _, r := range refusals {
		m.handshakes.WithLabelValues(r.label)
	}
	for _, label := range []string{labelAccepted, labelToken, labelBroken} {
		m.handshakes.WithLabelValues(label)
	}
	if reg != nil {
		reg.MustRegister(m.handshakes)
	}
	return m
}
