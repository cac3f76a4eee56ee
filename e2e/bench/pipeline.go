package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"belfry/e2e/harness"
)

// pipelineSize is the size of a payload in the comparisons with raw RabbitMQ.
const pipelineSize = 200

// pipelineGroups is how many groups, of one member each, the emits go to.
const pipelineGroups = 100

// pipeline measures emits end to end, from an AMQP publisher with confirms to
// the sockets, beside raw RabbitMQ over one hop and over two.
func pipeline(ctx context.Context, s *system, e emission) ([]row, error) {
	before := s.shares()
	ours, lat, err := pipelineBelfry(ctx, s, e)
	if err != nil {
		return nil, err
	}
	after := s.shares()
	oursCPU, before := after.since(before, lat.count()), after
	one, oneLat, err := pipelineRaw(ctx, s, e, 1)
	if err != nil {
		return nil, err
	}
	after = s.shares()
	oneCPU, before := after.since(before, oneLat.count()), after
	two, twoLat, err := pipelineRaw(ctx, s, e, 2)
	if err != nil {
		return nil, err
	}
	cpu := row{
		what: "CPU for each of them", belfry: oursCPU.String(), baseline: oneCPU.String() + " (raw, one hop)",
		ratio: oursCPU.over(oneCPU), note: "raw, two hops: " + s.shares().since(before, twoLat.count()).String(),
	}
	if e.rate == 0 {
		return []row{{
			what: "emits/s end to end, flat out, confirms on", belfry: fmt.Sprintf("%.0f/s", ours),
			baseline: fmt.Sprintf("%.0f/s (raw, one hop)", one), ratio: fmt.Sprintf("%.2f", ours/one),
			note: fmt.Sprintf("raw, two hops: %.0f/s", two),
		}, cpu}, nil
	}
	return []row{{
		what:     fmt.Sprintf("latency, publish to socket, at %d emits/s", e.rate),
		belfry:   quantiles(lat),
		baseline: quantiles(twoLat) + " (raw, two hops)",
		ratio:    fmt.Sprintf("%.2f (p99)", float64(lat.at(0.99))/float64(twoLat.at(0.99))),
		note:     "raw, one hop: " + quantiles(oneLat),
		quoted:   latencyQuote.of(milliseconds(lat.at(0.5)), milliseconds(twoLat.at(0.5)), float64(lat.at(0.5))/float64(twoLat.at(0.5))),
	}, cpu}, nil
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}

func quantiles(l *latencies) string {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return fmt.Sprintf("p50 %.2f ms, p99 %.2f ms", ms(l.at(0.5)), ms(l.at(0.99)))
}

func pipelineBelfry(ctx context.Context, s *system, e emission) (rate float64, lat *latencies, err error) {
	sockets, err := openMany(ctx, pipelineGroups, subscribed(s.address,
		func(n int) map[string][]string { return map[string][]string{"bench": {strconv.Itoa(n)}} }), func(int) {})
	if err != nil {
		return 0, nil, err
	}
	lat = &latencies{}
	var got atomic.Int64
	var readers sync.WaitGroup
	for _, socket := range sockets {
		readers.Go(func() {
			for {
				body, err := socket.Read()
				if err != nil {
					return
				}
				if lat.add(body) {
					got.Add(1)
				}
			}
		})
	}
	defer readers.Wait()
	defer closeAll(sockets)
	run := time.Now().UnixNano() // so that ids differ from run to run
	start := time.Now()
	sent, err := e.run(ctx, func(p *publisher, n int, body []byte) error {
		return p.publish(ctx, "belfry.emit", "bench-"+strconv.Itoa(n%pipelineGroups), fmt.Sprintf("p%x.%d", run, n), body)
	}, s.amqp)
	if err != nil {
		return 0, nil, err
	}
	err = harness.Await(ctx, "the last emit", func() error {
		if have := got.Load(); have < int64(sent) {
			return fmt.Errorf("%d of %d emits arrived", have, sent)
		}
		return nil
	})
	return float64(sent) / time.Since(start).Seconds(), lat, err
}

func pipelineRaw(ctx context.Context, s *system, e emission, hops int) (rate float64, lat *latencies, err error) {
	r, err := newRawHops(s.amqp, hops)
	if err != nil {
		return 0, nil, err
	}
	lat = &latencies{}
	took, err := r.run(ctx, e, func(body []byte) { lat.add(body) })
	if err != nil {
		return 0, nil, err
	}
	return float64(lat.count()) / took.Seconds(), lat, nil
}
