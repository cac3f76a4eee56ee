package router

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// pause waits before something is opened again: 100 to 300 ms, so that the
// workers of an installation do not come back in step.
func (r *Router) pause(ctx context.Context) {
	t := time.NewTimer(100*time.Millisecond + rand.N(200*time.Millisecond)) // jitter, not a secret
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// gate tells whether a consumer is open.
type gate struct{ is atomic.Bool }

func (g *gate) set(open bool) { g.is.Store(open) }
func (g *gate) open() bool    { return g.is.Load() }
