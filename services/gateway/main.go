// Command gateway terminates websockets. Through RabbitMQ it asks workers which clients may
// connect and which groups they may see, and receives the events that workers route to it.
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
