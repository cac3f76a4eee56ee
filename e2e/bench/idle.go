package main

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"time"

	"belfry/e2e/harness"
)

// idleMemory measures the gateway's resident memory for each idle connection that
// has subscribed to two groups, beside the same number of connections of serveIdle.
func idleMemory(ctx context.Context, s *system, dir string, count int) (row, error) {
	ours, err := crowd{open: subscribed(s.address, pageGroups), server: s.gateway, shares: s.shares}.rest(ctx, count)
	if err != nil {
		return row{}, err
	}
	say("  now the bare server")
	bare, err := startBare(ctx, dir, "idle")
	if err != nil {
		return row{}, err
	}
	defer bare.stop()
	nobody := func() shares { return shares{} }
	theirs, err := crowd{open: echoed(bare.address), server: bare.Process, shares: nobody}.rest(ctx, count)
	if err != nil {
		return row{}, err
	}
	return row{
		what:     fmt.Sprintf("idle, subscribed connection, %d of them", count),
		belfry:   fmt.Sprintf("%.1f KiB resident in the gateway", ours.each),
		baseline: fmt.Sprintf("%.1f KiB (bare server, same library)", theirs.each),
		ratio:    fmt.Sprintf("%.2f", ours.each/theirs.each),
		note:     fmt.Sprintf("connect and subscribe: %.0f/s; CPU for each: %v", float64(count)/ours.opening.Seconds(), ours.cpu),
		quoted:   idleQuote.of(fmt.Sprintf("%.0f KiB", ours.each), fmt.Sprintf("%.0f KiB", theirs.each), ours.each/theirs.each),
	}, nil
}

// crowd is many clients of one server.
type crowd struct {
	open   opener
	server *harness.Process
	shares func() shares
}

// resting is what a crowd costs.
type resting struct {
	each    float64       // resident memory, in KiB for each connection
	opening time.Duration // of all
	cpu     shares        // to open one
}

// rest opens count connections and lets them rest: resident with them, less at none.
func (c crowd) rest(ctx context.Context, count int) (r resting, err error) {
	warm, err := openMany(ctx, 50, c.open, func(int) {})
	if err != nil {
		return r, err
	}
	closeAll(warm)
	if err := until(ctx, time.Now().Add(2*time.Second)); err != nil {
		return r, err
	}
	before, busy, began := residentOf(c.server.Pid()), c.shares(), time.Now()
	conns, err := openMany(ctx, count, c.open, func(done int) { say("  %d of %d connections", done, count) })
	if err != nil {
		return r, err
	}
	defer closeAll(conns)
	r.opening, r.cpu = time.Since(began), c.shares().since(busy, count)
	// The garbage of the handshakes goes with the collections of the next
	// minutes; ten seconds are what an operator would see after a deploy.
	if err := until(ctx, time.Now().Add(10*time.Second)); err != nil {
		return r, err
	}
	r.each = float64(residentOf(c.server.Pid())-before) / float64(count) / 1024
	runtime.KeepAlive(conns)
	return r, nil
}

// pageGroups is what a page of Tower's subscribes to: what all see, and a job.
func pageGroups(n int) map[string][]string {
	return map[string][]string{"jobs": {"status_changed"}, "job_events": {strconv.Itoa(n % 500)}}
}
