package main

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"time"
)

// idleMemory measures the gateway's resident memory per idle connection that
// has subscribed to two groups: resident at count connections, less at none.
func idleMemory(ctx context.Context, s *system, count int, say func(string, ...any)) (row, error) {
	warm, err := openMany(ctx, s.address, token, 50, pageGroups, func(int) {})
	if err != nil {
		return row{}, err
	}
	closeAll(warm)
	if err := until(ctx, time.Now().Add(2*time.Second)); err != nil {
		return row{}, err
	}
	before, busy := s.gateway.resident(), s.shares()
	start := time.Now()
	sockets, err := openMany(ctx, s.address, token, count, pageGroups, func(done int) {
		say("  %d of %d connections", done, count)
	})
	if err != nil {
		return row{}, err
	}
	opened := time.Since(start)
	cpu := s.since(busy, count)
	// The garbage of the handshakes goes with the collections of the next
	// minutes; ten seconds are what an operator would see after a deploy.
	if err := until(ctx, time.Now().Add(10*time.Second)); err != nil {
		return row{}, err
	}
	each := float64(s.gateway.resident()-before) / float64(count) / 1024
	runtime.KeepAlive(sockets)
	closeAll(sockets)
	return row{
		what:   fmt.Sprintf("idle, subscribed connection, %d of them", count),
		belfry: fmt.Sprintf("%.1f KiB resident in the gateway", each),
		note:   fmt.Sprintf("connect and subscribe: %.0f/s; CPU for each: %v", float64(count)/opened.Seconds(), cpu),
	}, nil
}

// pageGroups is what a page of Tower's subscribes to: what all see, and a job.
func pageGroups(n int) map[string][]string {
	return map[string][]string{"jobs": {"status_changed"}, "job_events": {strconv.Itoa(n % 500)}}
}
