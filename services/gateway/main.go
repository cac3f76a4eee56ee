// Command gateway terminates websockets: it asks the workers, through RabbitMQ,
// who may come in and see what, and delivers the events that they route to it.
package main

import (
	"context"

	"belfry/pkg/daemon"
	"belfry/pkg/settings"
	"belfry/services/gateway/app"
)

func main() {
	saveMemory()
	daemon.Main("gateway", &app.Config{}, run)
}

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
