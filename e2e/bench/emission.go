package main

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"time"
)

// emission says how messages are published: at a rate, for a time, how big.
type emission struct {
	rate    int // a second; 0: flat out
	lasting time.Duration
	size    int // bytes of a body, at least 60
}

// run publishes and returns how many were confirmed. Every body is a JSON
// object that carries the time of its publishing.
func (e emission) run(ctx context.Context, send func(p *publisher, n int, body []byte) error, url string) (int, error) {
	p, err := openPublisher(url)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	n := 0
	for ; time.Since(start) < e.lasting; n++ {
		if e.rate > 0 {
			due := start.Add(time.Duration(n) * time.Second / time.Duration(e.rate))
			if err := until(ctx, due); err != nil {
				return n, err
			}
		}
		if err := send(p, n, stamped(e.size)); err != nil {
			return n, err
		}
	}
	if err := p.close(ctx); err != nil {
		return n, fmt.Errorf("confirm %d publishes: %w", n, err)
	}
	return n, nil
}

// until waits for a point in time.
func until(ctx context.Context, due time.Time) error {
	wait := time.Until(due)
	if wait <= 0 {
		return nil
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

const stampPrefix = `{"group_name":"bench","at":"`

// stamped makes a JSON object of size bytes that carries the time now.
func stamped(size int) []byte {
	body := make([]byte, 0, size)
	body = append(body, stampPrefix...)
	var now [8]byte
	binary.BigEndian.PutUint64(now[:], uint64(time.Now().UnixNano()))
	body = hex.AppendEncode(body, now[:])
	body = append(body, `","pad":"`...)
	for len(body) < size-2 {
		body = append(body, 'x')
	}
	return append(body, `"}`...)
}

// age reads the time out of a stamped body.
func age(body []byte) (time.Duration, bool) {
	if len(body) < len(stampPrefix)+16 || string(body[:len(stampPrefix)]) != stampPrefix {
		return 0, false
	}
	var at [8]byte
	if _, err := hex.Decode(at[:], body[len(stampPrefix):len(stampPrefix)+16]); err != nil {
		return 0, false
	}
	return time.Since(time.Unix(0, int64(binary.BigEndian.Uint64(at[:])))), true
}

// latencies collects ages; it may be used concurrently.
type latencies struct {
	mu  sync.Mutex
	all []time.Duration
}

func (l *latencies) add(body []byte) bool {
	d, ok := age(body)
	if ok {
		l.mu.Lock()
		l.all = append(l.all, d)
		l.mu.Unlock()
	}
	return ok
}

// at is the quantile q, 0 to 1; 0 when there is nothing.
func (l *latencies) at(q float64) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.all) == 0 {
		return 0
	}
	slices.Sort(l.all)
	return l.all[min(int(q*float64(len(l.all))), len(l.all)-1)]
}

func (l *latencies) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.all)
}
