package relay

import (
	"sync"
	"time"

	"belfry/pkg/protocol"
)

const (
	// workerAway is after how long without a word a worker counts as gone.
	workerAway = 7 * time.Second
	// maxWorkers bounds the workers remembered; one that is heard of while
	// there are as many is not.
	maxWorkers = 1024
)

// workers remembers who was heard of when.
type workers struct {
	mu   sync.Mutex
	last map[protocol.WorkerID]time.Time // guarded by mu
}

func newWorkers() *workers { return &workers{last: map[protocol.WorkerID]time.Time{}} }

func (w *workers) heard(p protocol.Presence) {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.Bye {
		delete(w.last, p.Worker)
		return
	}
	w.forgetLocked(now)
	if _, known := w.last[p.Worker]; known || len(w.last) < maxWorkers {
		w.last[p.Worker] = now
	}
}

// any reports that a worker is there.
func (w *workers) any(now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.forgetLocked(now)
	return len(w.last) > 0
}

func (w *workers) forgetLocked(now time.Time) {
	for id, at := range w.last {
		if now.Sub(at) > workerAway {
			delete(w.last, id)
		}
	}
}
