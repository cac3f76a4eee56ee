package main

import (
	"context"
	"time"

	"github.com/urfave/cli/v3"

	"belfry/pkg/protocol"
)

func disconnectCommand() *cli.Command {
	return &cli.Command{
		Name:      "disconnect",
		Usage:     "close the connections of a user",
		ArgsUsage: "USER",
		Description: "All gateways close the user's connections with 4403: those of one login session, or all.\n" +
			"The exit status is 0 when the broker has confirmed the order. A token that is still valid\n" +
			"can open a new connection. BELFRY_AMQP_URL says where to send it, as for belfry emit.\n\n" +
			"Examples:\n" +
			"  belfry disconnect 7\n" +
			"  belfry disconnect --session 2f9c ann@example.com",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "session", Usage: "only those whose token names this login session (BELFRY_SESSION_CLAIM, sid)"},
			&cli.DurationFlag{Name: "timeout", Usage: "how long to wait for the broker's confirm", Value: 10 * time.Second},
		},
		Action: disconnect,
	}
}

func disconnect(ctx context.Context, c *cli.Command) error {
	if err := arguments(c, 1, 1); err != nil {
		return err
	}
	order := protocol.Disconnect{User: c.Args().First(), SID: c.String("session")}
	if err := order.Check(); err != nil {
		return usageError{err}
	}
	e, err := openEmitter(ctx, c)
	if err != nil {
		return err
	}
	return finish(ctx, e, e.Disconnect(ctx, order.User, order.SID))
}
