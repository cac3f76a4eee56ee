package disconnect

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Label values.
const (
	outcomePassed   = "passed"
	outcomeParked   = "parked"
	outcomeForged   = "forged"   // by a gateway, or not through the exchange: parked, too
	outcomeRepeated = "repeated" // a reply queue was full or the link lost: sent again
)

// Metrics counts orders.
type Metrics struct{ orders *prometheus.CounterVec }

// NewMetrics registers the metrics; reg may be nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{orders: promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
		Name: "belfry_worker_disconnects_total",
		Help: "Orders to end connections: passed to all gateways, parked because they were not understood or forged, and repeated sends.",
	}, []string{"outcome"})}
	for _, outcome := range []string{outcomePassed, outcomeParked, outcomeForged, outcomeRepeated} {
		m.orders.WithLabelValues(outcome)
	}
	return m
}
