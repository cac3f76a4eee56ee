package router

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the router's series. Reasons, outcomes and shards are closed
// sets; every series exists from the start.
type metrics struct {
	emits, batches, epochs, stale, lagged, buried, ignored *prometheus.CounterVec // by shard
	flooding, gateways, unsynced, lagging, groups, unacked *prometheus.GaugeVec   // by shard

	batchEvents    prometheus.Histogram
	dead           *prometheus.CounterVec // by reason
	forwarded      *prometheus.CounterVec // by outcome
	expired        prometheus.Counter
	refusedReplies prometheus.Counter

	last []Stats // by shard, each owned by its shard's goroutine
}

func newMetrics(reg prometheus.Registerer, shards int) *metrics {
	if reg == nil {
		reg = prometheus.NewRegistry()
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "belfry_worker_" + name, Help: help}, labels)
		reg.MustRegister(v)
		return v
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "belfry_worker_" + name, Help: help}, []string{"shard"})
		reg.MustRegister(v)
		return v
	}
	m := &metrics{
		emits:    counter("emits_total", "Emits routed, also those that nobody wanted.", "shard"),
		batches:  counter("batches_total", "Reply messages with events.", "shard"),
		epochs:   counter("epochs_total", "Reigns begun.", "shard"),
		stale:    counter("stale_total", "Reigns raised or given up because a gateway knew a higher one.", "shard"),
		lagged:   counter("lagged_total", "Times that a gateway became lagging.", "shard"),
		buried:   counter("gateways_lost_total", "Gateways found dead.", "shard"),
		ignored:  counter("control_ignored_total", "Control messages of lower links or other reigns.", "shard"),
		flooding: gauge("flooding", "1 while emits go to all gateways."),
		gateways: gauge("gateways", "Gateways in the directory."),
		unsynced: gauge("gateways_unsynced", "Gateways that are sent everything."),
		lagging:  gauge("gateways_lagging", "Gateways that missed events and do not know it yet."),
		groups:   gauge("groups", "Groups in the directory."),
		unacked:  gauge("unacked", "Deliveries that are not acked."),

		dead:           counter("dead_total", "Messages parked in belfry.dead.", "reason"),
		forwarded:      counter("forwarded_total", "Emits forwarded to their shard.", "outcome"),
		expired:        prometheus.NewCounter(prometheus.CounterOpts{Name: "belfry_worker_expired_total", Help: "Emits that expired and became gaps."}),
		refusedReplies: prometheus.NewCounter(prometheus.CounterOpts{Name: "belfry_worker_replies_refused_total", Help: "Messages of the worker's reply queue that were not understood or forged."}),
		batchEvents: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "belfry_worker_batch_events", Help: "Events in a reply message.",
			Buckets: []float64{1, 2, 4, 8, 16, 32, 64, 128},
		}),
		last: make([]Stats, shards),
	}
	reg.MustRegister(m.expired, m.refusedReplies, m.batchEvents)
	for _, reason := range Reasons() {
		m.dead.WithLabelValues(string(reason))
	}
	m.forwarded.WithLabelValues("ok")
	m.forwarded.WithLabelValues("refused")
	for i := range shards {
		m.shard(i, Stats{})
	}
	return m
}

// published counts a publish that was sent.
func (m *metrics) published(e *Effect) {
	if e.Events > 0 {
		m.batchEvents.Observe(float64(e.Events))
	}
	if e.Reason != "" {
		m.dead.WithLabelValues(string(e.Reason)).Inc()
	}
}

// shard takes over what a core counted.
func (m *metrics) shard(index int, s Stats) {
	label, last := strconv.Itoa(index), m.last[index]
	m.last[index] = s
	add := func(v *prometheus.CounterVec, now, before uint64) {
		v.WithLabelValues(label).Add(float64(now - before))
	}
	add(m.emits, s.Emits, last.Emits)
	add(m.batches, s.Batches, last.Batches)
	add(m.epochs, s.Epochs, last.Epochs)
	add(m.stale, s.Stale, last.Stale)
	add(m.lagged, s.Lagged, last.Lagged)
	add(m.buried, s.Lost, last.Lost)
	add(m.ignored, s.Ignored, last.Ignored)
	flood := 0
	if s.Flooding {
		flood = 1
	}
	m.flooding.WithLabelValues(label).Set(float64(flood))
	m.gateways.WithLabelValues(label).Set(float64(s.Gateways))
	m.unsynced.WithLabelValues(label).Set(float64(s.Unsynced))
	m.lagging.WithLabelValues(label).Set(float64(s.Lagging))
	m.groups.WithLabelValues(label).Set(float64(s.Groups))
	m.unacked.WithLabelValues(label).Set(float64(s.Unacked))
}
