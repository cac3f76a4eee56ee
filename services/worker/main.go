// Command worker decides which clients may connect and which groups they may see, and routes
// every emit to the gateways that have members of its group. By default it opens no port.
package main

import (
	"context"

	"belfry/pkg/daemon"
	"belfry/pkg/settings"
	"belfry/services/worker/app"
)

func main() { daemon.Main("worker", &app.Config{}, run) }

func run(ctx context.Context) error {
	var cfg app.Config
	if err := settings.Load(&cfg); err != nil {
		return err
	}
	log, err := daemon.OpenLog(cfg.LogLevel, cfg.LogFormat)
	if err != nil {
		return err
	}
	defer log.Close()
	return app.Run(ctx, cfg, log)
}
