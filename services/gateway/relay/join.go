package relay

import (
	"context"
	"fmt"
	"time"

	"belfry/pkg/protocol"
)

// joinWithin bounds the wait for a route.
const joinWithin = 5 * time.Second

// joining waits for tickets of several shards.
type joining struct {
	left int
	done chan struct{} // closed when none is left
}

func (j *joining) arrived() {
	if j.left--; j.left == 0 {
		close(j.done)
	}
}

// Join takes one reference to each group and returns nil once every emit that
// is published from then on reaches this gateway. It waits at most 5 s. On an
// error no reference is held.
func (r *Relay) Join(ctx context.Context, groups []protocol.Group) error {
	a := r.announce
	parts := a.split(groups)
	started := time.Now()
	j, tickets := a.join(parts)
	if len(tickets) == 0 {
		r.metrics.joins.Observe(0)
		return nil
	}
	a.wake()
	ctx, cancel := context.WithTimeout(ctx, joinWithin)
	defer cancel()
	select {
	case <-j.done:
		r.metrics.joins.Observe(time.Since(started).Seconds())
		return nil
	case <-ctx.Done():
	}
	if a.abandon(j, tickets, parts) {
		return nil
	}
	r.metrics.unjoined.Inc()
	return fmt.Errorf("the broker has not confirmed the subscription to %d groups: %w", len(groups), ctx.Err())
}

// Leave releases one reference to each group. It does not block.
func (r *Relay) Leave(groups []protocol.Group) {
	a := r.announce
	parts := a.split(groups)
	now := time.Now()
	a.mu.Lock()
	for shard, part := range parts {
		a.cores[shard].Leave(now, part)
	}
	a.mu.Unlock()
	a.wake()
}

// split sorts groups by their shards.
func (a *announcer) split(groups []protocol.Group) map[int][]protocol.Group {
	if len(a.cores) == 1 {
		return map[int][]protocol.Group{0: groups}
	}
	parts := map[int][]protocol.Group{}
	for _, g := range groups {
		shard := protocol.ShardOf(g, len(a.cores))
		parts[shard] = append(parts[shard], g)
	}
	return parts
}

func (a *announcer) join(parts map[int][]protocol.Group) (*joining, []shardTicket) {
	j := &joining{done: make(chan struct{})}
	var tickets []shardTicket
	a.mu.Lock()
	defer a.mu.Unlock()
	for shard, part := range parts {
		ticket, active := a.cores[shard].Join(part)
		if active {
			continue
		}
		key := shardTicket{shard, ticket}
		tickets = append(tickets, key)
		a.waiting[key] = j
		j.left++
	}
	return j, tickets
}

// abandon releases the references of a wait that has not ended yet.
func (a *announcer) abandon(j *joining, tickets []shardTicket, parts map[int][]protocol.Group) (active bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if j.left == 0 {
		return true
	}
	for _, key := range tickets {
		delete(a.waiting, key)
		a.cores[key.shard].Abandon(key.ticket)
	}
	now := time.Now()
	for shard, part := range parts {
		a.cores[shard].Leave(now, part)
	}
	a.wake()
	return false
}
