// Command worker decides who may come in and see what, and routes every emit to
// the gateways that have somebody watching for it. It opens no port unless told.
package main

import (
	"context"

	"belfry/pkg/daemon"
	"belfry/pkg/settings"
	"belfry/services/worker/app"
)

func main() { daemon.Main("worker", run) }

func run(ctx context.Context) error {
	var cfg app.Config
	if err := settings.Load(&cfg); err != nil {
		return err
	}
	logger, err := daemon.NewLogger(cfg.LogLevel, cfg.LogFormat)
	if err != nil {
		return err
	}
	defer func() { _ = logger.Sync() }() // standard error needs none, and says so
	return app.Run(ctx, cfg, logger)
}
