package leading

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"belfry/services/worker/lead"
)

// metrics are the driver's series. Reasons and logs are closed sets; every series exists
// from the start.
type metrics struct {
	refusedReplies prometheus.Counter
	dead           *prometheus.CounterVec // by reason
	leading        *prometheus.GaugeVec   // by log
	batches        *prometheus.CounterVec // by log
	terms          *prometheus.CounterVec // by log
	entries        *prometheus.CounterVec // by log
	gatewaysLost   prometheus.Counter
	gateways       *prometheus.GaugeVec // by log
	behind         *prometheus.GaugeVec // by log
	lag            *prometheus.GaugeVec // by log
}

func newMetrics(reg prometheus.Registerer, logs int) *metrics {
	f := promauto.With(reg)
	m := &metrics{
		refusedReplies: f.NewCounter(prometheus.CounterOpts{Name: "belfry_worker_replies_refused_total", Help: "Messages of the worker's reply queue that were not understood or forged."}),
		dead:           f.NewCounterVec(prometheus.CounterOpts{Name: "belfry_worker_dead_total", Help: "Messages parked in belfry.dead."}, []string{"reason"}),
		leading:        f.NewGaugeVec(prometheus.GaugeOpts{Name: "belfry_worker_leading", Help: "1 while this worker leads the log."}, []string{"log"}),
		batches:        f.NewCounterVec(prometheus.CounterOpts{Name: "belfry_worker_batches_total", Help: "Reply messages with events, or with a place alone."}, []string{"log"}),
	}
	m.terms = f.NewCounterVec(prometheus.CounterOpts{Name: "belfry_worker_terms_total", Help: "Times that this worker began to lead the log."}, []string{"log"})
	m.entries = f.NewCounterVec(prometheus.CounterOpts{Name: "belfry_worker_entries_read_total", Help: "Entries read from the log, marks and those of looking back included."}, []string{"log"})
	m.gatewaysLost = f.NewCounter(prometheus.CounterOpts{Name: "belfry_worker_gateways_lost_total", Help: "Gateways found dead."})
	gauge := func(name, help string) *prometheus.GaugeVec {
		return f.NewGaugeVec(prometheus.GaugeOpts{Name: "belfry_worker_" + name, Help: help}, []string{"log"})
	}
	m.gateways = gauge("gateways", "Gateways that this worker, as the log's leader, serves.")
	m.behind = gauge("gateways_behind", "Gateways of these that are being caught up.")
	m.lag = gauge("log_lag", "Offsets that the leader is behind the end of the log, as far as it knows that.")
	for _, reason := range append(lead.Reasons(), reasonShard, reasonForged) {
		m.dead.WithLabelValues(reason)
	}
	for log := range logs {
		m.leading.WithLabelValues(strconv.Itoa(log))
		m.batches.WithLabelValues(strconv.Itoa(log))
		m.terms.WithLabelValues(strconv.Itoa(log))
		m.entries.WithLabelValues(strconv.Itoa(log))
		m.stats(log, lead.Stats{})
	}
	return m
}

// stats takes over how leading goes.
func (m *metrics) stats(log int, s lead.Stats) {
	label := strconv.Itoa(log)
	m.gateways.WithLabelValues(label).Set(float64(s.Gateways))
	m.behind.WithLabelValues(label).Set(float64(s.Behind))
	m.lag.WithLabelValues(label).Set(float64(s.Lag))
}
