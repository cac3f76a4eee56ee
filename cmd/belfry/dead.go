package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v3"

	"belfry/cmd/belfry/internal/dead"
	"belfry/cmd/belfry/internal/environment"
	"belfry/pkg/settings"
)

func deadCommand() *cli.Command {
	return &cli.Command{
		Name:  "dead",
		Usage: "show the messages that could not be handled, and why",
		Description: "Workers park such messages in belfry.dead with a reason. Each is printed as a line of\n" +
			"JSON: reason, origin (exchange/key), message_id, and the body if it was kept (at most\n" +
			"4 KiB). The messages stay in the queue; --purge removes those that it has shown, at most\n" +
			"1,000. The broker user needs the read permission for ^belfry\\.dead$, which no role has.\n" +
			"Quorum queues of RabbitMQ 4 drop a message that was read 20 times.\n\n" +
			"Examples:\n  belfry dead\n  belfry dead --purge >dead.jsonl",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "purge", Usage: "remove the messages that were shown", HideDefault: true},
			&cli.DurationFlag{Name: "timeout", Usage: "how long the command may take", Value: 30 * time.Second},
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			if err := arguments(c, 0, 0); err != nil {
				return err
			}
			var b settings.Broker
			if err := settings.Load(&b); err != nil {
				return err
			}
			within, cancel := context.WithTimeout(ctx, c.Duration("timeout"))
			defer cancel()
			err := dead.Run(within, dead.Options{
				Broker: environment.Connection(b, "belfry dead"), Purge: c.Bool("purge"), Out: c.Root().Writer,
				Say: func(format string, args ...any) { say(c, "belfry: %s", fmt.Sprintf(format, args...)) },
			})
			if ctx.Err() != nil && errors.Is(err, context.Canceled) {
				return errInterrupted
			}
			return err
		},
	}
}
