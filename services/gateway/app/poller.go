package app

import (
	"context"

	"go.uber.org/zap"
)

// openPoller does without where idle connections cannot be waited for together: each
// then has a goroutine that reads, which is correct and costs more memory.
func (a *App) openPoller(context.Context) error {
	if err := a.poller.Open(); err != nil {
		a.log.Warn("each idle connection keeps a goroutine and needs four times the memory: raise the limit of open files (LimitNOFILE, ulimit -n) and restart this gateway",
			zap.Error(err))
	}
	return nil
}

func (a *App) closePoller(context.Context) error { return a.poller.Close() }
