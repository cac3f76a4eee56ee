package router

import (
	"sync"
	"time"

	"belfry/pkg/protocol"
)

const (
	presenceEvery = 2 * time.Second
	presenceLasts = 7 * time.Second  // a worker not heard for so long is gone
	settleIn      = 30 * time.Second // nothing is given away before
)

// colony knows the other workers, and says when a shard should be given away.
type colony struct {
	mu     sync.Mutex
	others map[protocol.WorkerID]time.Time // guarded by mu
}

func newColony() *colony {
	return &colony{others: make(map[protocol.WorkerID]time.Time)}
}

func (c *colony) heard(m protocol.Presence) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m.Bye {
		delete(c.others, m.Worker)
		return
	}
	now := time.Now()
	c.forgetLocked(now)
	c.others[m.Worker] = now
}

// workers counts the workers alive, this one included.
func (c *colony) workers(now time.Time) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgetLocked(now)
	return len(c.others) + 1
}

func (c *colony) forgetLocked(now time.Time) {
	for id, at := range c.others {
		if now.Sub(at) > presenceLasts {
			delete(c.others, id)
		}
	}
}

// surplus picks a shard to give away, or none (-1): a worker keeps no more than
// its share, and gives one at a time, none while a shard of its own floods.
func surplus(states []State, workers int) int {
	if len(states) < 2 || workers < 2 {
		return -1
	}
	active, last := 0, -1
	for i, s := range states {
		if s.Flooding {
			return -1
		}
		if s.Active {
			active, last = active+1, i
		}
	}
	if share := (len(states) + workers - 1) / workers; active <= share {
		return -1
	}
	return last
}
