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
		Usage: "show the messages that could not be understood, and why",
		Description: "Workers park them in belfry.dead with a reason. Each is a line of JSON: reason, origin\n" +
			"(exchange/key), message_id and body, as long as it was kept (4 KiB). They stay, but with\n" +
			"--purge, which takes away what it has shown, 1,000 at most. The broker user needs read on\n" +
			"^belfry\\.dead$, which none of the roles has. Quorum queues of RabbitMQ 4 drop a message\n" +
			"that was looked at 20 times.\n\n" +
			"Examples:\n  belfry dead\n  belfry dead --purge >dead.jsonl",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "purge", Usage: "take away what was shown", HideDefault: true},
			&cli.DurationFlag{Name: "timeout", Usage: "how long all of it may take", Value: 30 * time.Second},
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
