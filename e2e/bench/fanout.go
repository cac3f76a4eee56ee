package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"belfry/e2e/harness"
)

const (
	fanoutMembers = 1000
	fanoutSize    = 120 // bytes of a payload, as in the neighbours' figures
)

// fanout measures the gateway's CPU per delivery to one group, beside a bare
// loop that writes the same bytes to as many sockets; frames is how many events
// are emitted at once in each of rounds.
func fanout(ctx context.Context, s *system, dir string, frames, rounds int) (row, error) {
	ours, p50, err := fanoutBelfry(ctx, s, frames, rounds)
	if err != nil {
		return row{}, err
	}
	bare, err := fanoutBare(ctx, dir, frames, rounds)
	if err != nil {
		return row{}, err
	}
	var quoted *quote
	if frames == 1 {
		quoted = fanoutQuote.of(fmt.Sprintf("%.0f us", ours), fmt.Sprintf("%.0f us", bare), ours/bare)
	}
	return row{
		what:     fmt.Sprintf("fan-out 1 to %d, %d at once, CPU per delivery", fanoutMembers, frames),
		belfry:   fmt.Sprintf("%.2f us", ours),
		baseline: fmt.Sprintf("%.2f us (bare write loop)", bare),
		ratio:    fmt.Sprintf("%.2f", ours/bare),
		note:     fmt.Sprintf("emit to socket p50 %s", p50.Round(10*time.Microsecond)),
		quoted:   quoted,
	}, nil
}

func fanoutBelfry(ctx context.Context, s *system, frames, rounds int) (perDelivery float64, p50 time.Duration, err error) {
	sockets, err := openMany(ctx, fanoutMembers, subscribed(s.address,
		func(int) map[string][]string { return map[string][]string{"bench": {"fanout"}} }), func(int) {})
	if err != nil {
		return 0, 0, err
	}
	var got atomic.Int64
	var lat latencies
	var readers sync.WaitGroup
	for n, socket := range sockets {
		readers.Go(func() {
			for {
				body, err := socket.Read()
				if err != nil {
					return
				}
				if n%100 == 0 {
					lat.add(body)
				}
				got.Add(1)
			}
		})
	}
	defer readers.Wait()
	defer closeAll(sockets)

	p, err := openPublisher(s.amqp)
	if err != nil {
		return 0, 0, err
	}
	before := cpuOf(s.gateway.Pid())
	for round := range rounds {
		for n := range frames {
			if err := p.publish(ctx, "belfry.emit", "bench-fanout", fmt.Sprintf("f%d.%d", round, n), stamped(fanoutSize)); err != nil {
				return 0, 0, errors.Join(err, p.close(ctx))
			}
		}
		want := int64((round + 1) * frames * fanoutMembers)
		err := harness.Await(ctx, "all members to have the events", func() error {
			if have := got.Load(); have < want {
				return fmt.Errorf("%d of %d deliveries", have, want)
			}
			return nil
		})
		if err != nil {
			return 0, 0, errors.Join(err, p.close(ctx))
		}
	}
	cpu := cpuOf(s.gateway.Pid()) - before
	return float64(cpu.Microseconds()) / float64(frames*rounds*fanoutMembers), lat.at(0.5), p.close(ctx)
}

func fanoutBare(ctx context.Context, dir string, frames, rounds int) (perDelivery float64, err error) {
	bare, err := startBare(ctx, dir, "loop")
	if err != nil {
		return 0, err
	}
	defer bare.stop()
	const frame = fanoutSize + 2 // two bytes of header, RFC 6455 5.2
	var got atomic.Int64
	for range fanoutMembers {
		c, err := net.Dial("tcp", bare.address)
		if err != nil {
			return 0, fmt.Errorf("dial the bare server: %w", err)
		}
		defer func() { _ = c.Close() }()
		go func() {
			buf := make([]byte, frame)
			for {
				if _, err := io.ReadFull(c, buf); err != nil {
					return
				}
				got.Add(1)
			}
		}()
	}
	err = harness.Await(ctx, "the bare server to know its clients", func() error {
		start := got.Load()
		if err := bare.obey(fmt.Sprint("1 ", frame)); err != nil {
			return err
		}
		<-time.After(50 * time.Millisecond)
		if got.Load()-start < fanoutMembers {
			return errors.New("not all connected")
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	before, had := cpuOf(bare.Pid()), got.Load()
	for round := range rounds {
		if err := bare.obey(fmt.Sprint(frames, " ", frame)); err != nil {
			return 0, err
		}
		want := had + int64((round+1)*frames*fanoutMembers)
		if err := harness.Await(ctx, "the bare loop's bytes", func() error {
			if have := got.Load(); have < want {
				return fmt.Errorf("%d of %d", have, want)
			}
			return nil
		}); err != nil {
			return 0, err
		}
	}
	cpu := cpuOf(bare.Pid()) - before
	return float64(cpu.Microseconds()) / float64(frames*rounds*fanoutMembers), nil
}
