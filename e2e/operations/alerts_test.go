package operations

import (
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

// scrapeInterval is that of deploy/prometheus/prometheus.yml.
const scrapeInterval = 15 * time.Second

// line is a time series, scraped for an hour: it begins at a value and grows by
// grows with each scrape.
type line struct {
	labels       []string
	value, grows float64
}

// scraped is a Prometheus's store.
type scraped []line

// hour is how long it has been scraping; alerts are judged at its end.
const hour = time.Hour

func (s scraped) Querier(_, _ int64) (storage.Querier, error) {
	return &storage.MockQuerier{SelectMockFunction: func(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
		found := &found{at: -1}
		for _, l := range s {
			of := labels.FromStrings(l.labels...)
			matches := true
			for _, m := range matchers {
				matches = matches && m.Matches(of.Get(m.Name))
			}
			if !matches {
				continue
			}
			var points []chunks.Sample
			for at := time.Duration(0); at <= hour; at += scrapeInterval {
				points = append(points, point{at.Milliseconds(), l.value + l.grows*float64(at/scrapeInterval)})
			}
			found.series = append(found.series, storage.NewListSeries(of, points))
		}
		return found
	}}, nil
}

// point is one value of a series: a chunks.Sample that is no histogram.
type point struct {
	at    int64 // milliseconds
	value float64
}

func (p point) T() int64                      { return p.at }
func (p point) F() float64                    { return p.value }
func (p point) H() *histogram.Histogram       { return nil }
func (p point) FH() *histogram.FloatHistogram { return nil }
func (p point) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (p point) Copy() chunks.Sample           { return p }

// found is what a query reads: a storage.SeriesSet.
type found struct {
	series []storage.Series
	at     int
}

func (f *found) Next() bool                        { f.at++; return f.at < len(f.series) }
func (f *found) At() storage.Series                { return f.series[f.at] }
func (f *found) Err() error                        { return nil }
func (f *found) Warnings() annotations.Annotations { return nil }

// fires says whether an alert has been true for as long as it must be, at the end
// of the hour.
func fires(t *testing.T, name string, s scraped) bool {
	t.Helper()
	for _, rule := range rules(t) {
		if rule.Alert != name {
			continue
		}
		engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 100_000, Timeout: time.Minute})
		defer func() { _ = engine.Close() }()
		end := time.UnixMilli(hour.Milliseconds())
		q, err := engine.NewRangeQuery(t.Context(), s, nil, rule.Expr, end.Add(-time.Duration(rule.For)), end, scrapeInterval)
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close()
		matrix, err := q.Exec(t.Context()).Matrix()
		if err != nil {
			t.Fatal(err)
		}
		for _, series := range matrix {
			if len(series.Floats) == int(time.Duration(rule.For)/scrapeInterval)+1 {
				return true
			}
		}
		return false
	}
	t.Fatalf("there is no alert %s", name)
	return false
}

func sample(name string, value, grows float64, pairs ...string) line {
	return line{append([]string{"__name__", name}, pairs...), value, grows}
}

// TestAlertsFire evaluates alerts over invented series with Prometheus's engine.
func TestAlertsFire(t *testing.T) {
	gateway := func(value float64) line {
		return sample("belfry_gateway_connections", value, 0, "instance", "g1", "job", "belfry-gateway")
	}
	worker := func(instance string, gateways float64) line {
		return sample("belfry_worker_gateways", gateways, 0, "instance", instance, "job", "belfry-worker", "log", "0")
	}
	handshakes := func(outcome string, each float64) line {
		return sample("belfry_gateway_handshakes_total", 0, each, "instance", "g1", "job", "belfry-gateway", "outcome", outcome)
	}
	for _, c := range []struct {
		alert, when string
		series      scraped
		want        bool
	}{
		{"BelfryProcessDown", "a process is not there", scraped{sample("up", 0, 0, "job", "belfry-worker", "instance", "w1")}, true},
		{"BelfryProcessDown", "another job's is not", scraped{sample("up", 0, 0, "job", "node", "instance", "n1"), sample("up", 1, 0, "job", "belfry-worker", "instance", "w1")}, false},
		{"BelfryNoWorkerRoutes", "no worker is active, and clients are there", scraped{gateway(3), worker("w1", 0), worker("w2", 0)}, true},
		{"BelfryNoWorkerRoutes", "one of two is active, as ever", scraped{gateway(3), worker("w1", 2), worker("w2", 0)}, false},
		{"BelfryNoWorkerRoutes", "nobody is connected", scraped{gateway(0), worker("w1", 0), worker("w2", 0)}, false},
		{"BelfryBrokerAway", "one link of two is lost", scraped{
			sample("belfry_bus_connected", 1, 0, "instance", "g1", "link", "publish"), sample("belfry_bus_connected", 0, 0, "instance", "g1", "link", "consume"),
		}, true},
		{"BelfryBrokerAway", "both are there", scraped{
			sample("belfry_bus_connected", 1, 0, "instance", "g1", "link", "publish"), sample("belfry_bus_connected", 1, 0, "instance", "g1", "link", "consume"),
		}, false},
		{"BelfryHandshakesFail", "a fifth is refused for want of a worker", scraped{handshakes("accepted", 8), handshakes("no_decision", 2)}, true},
		{"BelfryHandshakesFail", "a fifth has a wrong token", scraped{handshakes("accepted", 8), handshakes("token_refused", 2)}, false},
		{"BelfryHandshakesFail", "a fifth hangs up before the answer", scraped{handshakes("accepted", 8), handshakes("gone", 2)}, false},
		{"BelfryHandshakesFail", "nobody comes", scraped{handshakes("accepted", 0), handshakes("not_ready", 0)}, false},
		{"BelfryFault", "something panicked", scraped{sample("belfry_worker_session_panics_total", 0, 0.01, "instance", "w1", "job", "belfry-worker")}, true},
		{"BelfryFault", "nothing did", scraped{sample("belfry_worker_session_panics_total", 5, 0, "instance", "w1", "job", "belfry-worker")}, false},
		{"BelfryLogLinesDropped", "nobody reads the log", scraped{sample("belfry_log_lines_dropped_total", 0, 3, "instance", "g1", "job", "belfry-gateway", "reason", "full")}, true},
		{"BelfryLogLinesDropped", "lines were dropped an hour ago", scraped{sample("belfry_log_lines_dropped_total", 900, 0, "instance", "g1", "job", "belfry-gateway", "reason", "full")}, false},
		{"BelfryStrangers", "a gateway's credential emitted", scraped{sample("belfry_worker_dead_total", 0, 1, "instance", "w1", "reason", "emit by a gateway, or not through an exchange of emits")}, true},
		{"BelfryStrangers", "a backend emitted nonsense", scraped{sample("belfry_worker_dead_total", 0, 1, "instance", "w1", "reason", "payload is not JSON")}, false},
		{"BelfryStrangers", "an order was forged", scraped{sample("belfry_worker_disconnects_total", 0, 1, "instance", "w1", "outcome", "forged")}, true},
		{"BelfryParked", "an order was nonsense", scraped{sample("belfry_worker_disconnects_total", 0, 1, "instance", "w1", "outcome", "parked")}, true},
		{"BelfryDescriptorsEnd", "96 of 100 are open", scraped{
			sample("process_open_fds", 96, 0, "instance", "g1", "job", "belfry-gateway"), sample("process_max_fds", 100, 0, "instance", "g1", "job", "belfry-gateway"),
		}, true},
	} {
		if got := fires(t, c.alert, c.series); got != c.want {
			t.Errorf("%s when %s: fires %t, want %t", c.alert, c.when, got, c.want)
		}
	}
}
