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
		Description: "Stop every gateway and worker first: it changes nothing while a worker consumes. It deletes\n" +
			"the old queues with the events in them, whose connections the gateways have closed, and\n" +
			"declares the new ones. Then start workers and gateways with BELFRY_SHARDS set to the new\n" +
			"number. BELFRY_QUEUE_TYPE is the type of the new queues: to change only the type, give --from\n" +
			"and --to the same number. Use the broker user of a gateway or worker.\n\n" +
			"Example:\n  belfry reshard --from 1 --to 4",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "from", Usage: "the present number of shards"},
			&cli.IntFlag{Name: "to", Usage: "the new number of shards"},
			&cli.DurationFlag{Name: "timeout", Usage: "how long the command may take", Value: 60 * time.Second},
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
