package app

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"
)

const (
	// closeEach is the least time between two closes of a drain, so that a few
	// connections do not take the whole period.
	closeEach = 2 * time.Millisecond
	// retryAfter is what clients are told to wait; they add jitter.
	retryAfter = time.Second
)

// drain ends the public side: not ready, notice, no more handshakes, then every
// connection is asked to leave while events still flow.
func (a *App) drain(ctx context.Context) error {
	a.draining.Store(true)
	notice := time.NewTimer(a.cfg.DrainNotice)
	defer notice.Stop()
	select {
	case <-notice.C:
	case <-ctx.Done():
	}
	a.edge.Drain()
	spread := min(a.cfg.DrainPeriod, time.Duration(a.hub.Len())*closeEach)
	a.log.Info("asking the connections to leave", zap.Int("connections", a.hub.Len()), zap.Duration("over", spread))
	err := errors.Join(a.hub.Drain(ctx, spread, retryAfter), a.server.Shutdown(ctx))
	a.edge.Wait()
	return err
}
