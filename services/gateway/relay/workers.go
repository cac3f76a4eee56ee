package relay

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"belfry/pkg/protocol"
)

const (
	// workerAway is after how long without a word a worker counts as gone.
	workerAway = 7 * time.Second
	// maxWorkers bounds the workers remembered; one that is heard of while
	// there are as many is not.
	maxWorkers = 1024
)

// workers remembers who was heard of when, and whether it takes our questions.
type workers struct {
	self string // the broker user of this gateway
	log  *zap.Logger

	mu   sync.Mutex
	last map[protocol.WorkerID]heard // guarded by mu
}

type heard struct {
	at time.Time
	// trusts are the broker users that it takes as gateways'; empty: ours is one,
	// or it does not say.
	trusts []string
}

func newWorkers(self string, log *zap.Logger) *workers {
	return &workers{self: self, log: log, last: map[protocol.WorkerID]heard{}}
}

func (w *workers) heard(p protocol.Presence) {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.Bye {
		delete(w.last, p.Worker)
		return
	}
	w.forgetLocked(now)
	was, known := w.last[p.Worker]
	if !known && len(w.last) >= maxWorkers {
		return
	}
	is := heard{at: now}
	if len(p.Gateways) > 0 && !slices.Contains(p.Gateways, w.self) {
		is.trusts = p.Gateways
	}
	w.last[p.Worker] = is
	if len(is.trusts) > 0 && !slices.Equal(is.trusts, was.trusts) {
		w.log.Warn("a worker does not answer this gateway: name the gateway's broker user in the worker's BELFRY_GATEWAY_USERS",
			zap.String("worker", string(p.Worker)), zap.String("broker_user", w.self), zap.String("variable", "BELFRY_GATEWAY_USERS"), zap.Strings("trusted", is.trusts))
	}
}

// state tells whether a worker is there that answers, and, where workers are there
// and none answers, why.
func (w *workers) state(now time.Time) (any bool, why string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.forgetLocked(now)
	var trusted []string
	for _, h := range w.last {
		if len(h.trusts) == 0 {
			return true, ""
		}
		trusted = append(trusted, h.trusts...)
	}
	if len(w.last) == 0 {
		return false, ""
	}
	slices.Sort(trusted)
	return false, fmt.Sprintf("no worker answers the broker user %q of this gateway: BELFRY_GATEWAY_USERS of the workers names %s",
		w.self, strings.Join(slices.Compact(trusted), ", "))
}

func (w *workers) forgetLocked(now time.Time) {
	for id, h := range w.last {
		if now.Sub(h.at) > workerAway {
			delete(w.last, id)
		}
	}
}

// workerless is the reasons why no worker can be asked; empty: one can.
func (r *Relay) workerless(now time.Time) []string {
	there, why := r.workers.state(now)
	switch {
	case there:
		return nil
	case why != "":
		return []string{why}
	}
	out := []string{"no worker has been heard from for 7 s: are workers running?"}
	if why := r.trust.Reason(); why != "" {
		out = append(out, why)
	}
	return out
}
