package app

import (
	"context"
	"time"

	"go.uber.org/zap"
)

const (
	// closeEach is the longest time between two closes of a drain, so that a drain with
	// few connections does not take the whole period.
	closeEach = 2 * time.Millisecond
	// lastClose is how long the last connection of a drain may take to close:
	// wsconn.Options.CloseTimeout, and a second for the rest.
	lastClose = 6 * time.Second
	// retryAfter is what clients are told to wait; they add jitter.
	retryAfter = time.Second
)

// drain ends the client side: the gateway becomes not ready, waits the notice
// period, accepts no more handshakes, and closes every connection while events
// still flow.
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
	a.log.Info("draining: closing all connections", zap.Int("connections", a.hub.Len()), zap.Duration("over", spread))
	err := a.hub.Drain(ctx, spread, retryAfter)
	a.closeListener(ctx)
	a.edge.Wait()
	return err
}

// closeListener waits a moment for handshakes that have begun; they are refused.
// A client that has connected but sent no request must not delay the stop.
func (a *App) closeListener(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := a.server.Shutdown(ctx); err != nil {
		a.log.Info("handshakes still open at shutdown were cut off", zap.Error(err))
		_ = a.server.Close() // its error is the listener's, which is closed already
	}
}
