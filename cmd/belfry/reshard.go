package main

import (
	"context"
	"time"

	"github.com/urfave/cli/v3"

	"belfry/cmd/belfry/internal/environment"
	"belfry/cmd/belfry/internal/reshard"
	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
	"belfry/pkg/settings"
)

func reshardCommand() *cli.Command {
	return &cli.Command{
		Name:  "reshard",
		Usage: "move an installation to another number of shards",
		Description: "Stop every gateway and worker first: it changes nothing while a worker consumes. The old\n" +
			"queues go, with what waits in them, which is for connections that the gateways have closed.\n" +
			"Then start workers and gateways with BELFRY_SHARDS set to the new number. BELFRY_QUEUE_TYPE\n" +
			"is that of the new queues: with --from and --to the same it changes the type alone. The\n" +
			"broker user is one that gateways or workers have.\n\n" +
			"Example:\n  belfry reshard --from 1 --to 4",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "from", Usage: "the number of shards until now"},
			&cli.IntFlag{Name: "to", Usage: "the number of shards to be"},
			&cli.DurationFlag{Name: "timeout", Usage: "how long all of it may take", Value: 60 * time.Second},
		},
		Action: runReshard,
	}
}

func runReshard(ctx context.Context, c *cli.Command) error {
	if err := arguments(c, 0, 0); err != nil {
		return err
	}
	for _, name := range []string{"from", "to"} {
		if n := c.Int(name); n < 1 || n > protocol.MaxShards {
			return usagef("--%s is %d: give a number of shards, 1 to %d; see %s --help", name, n, protocol.MaxShards, c.FullName())
		}
	}
	var b settings.Broker
	if err := settings.Load(&b); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.Duration("timeout"))
	defer cancel()
	return reshard.Run(ctx, reshard.Options{
		Broker: environment.Connection(b, "belfry reshard"), Out: c.Root().Writer,
		From: c.Int("from"), To: amqpbus.Layout{Shards: c.Int("to"), Quorum: b.Layout().Quorum},
	})
}
