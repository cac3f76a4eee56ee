package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v3"

	"belfry/cmd/belfry/internal/environment"
	"belfry/cmd/belfry/internal/listen"
	"belfry/pkg/protocol"
	"belfry/pkg/settings"
)

func listenCommand() *cli.Command {
	return &cli.Command{
		Name:      "listen",
		Usage:     "print the events of groups as they come",
		ArgsUsage: "GROUP...",
		Description: "Each event is one line on standard output. Gaps, denied groups and lost connections are\n" +
			"reported on standard error, and a lost connection is opened again. BELFRY_URL is the\n" +
			"websocket (default ws://127.0.0.1:8051/websocket/), BELFRY_TOKEN the token.\n\n" +
			"Example:\n  BELFRY_TOKEN=development belfry listen jobs-status_changed job_events-42",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "count", Aliases: []string{"n"}, Usage: "end after this many events", DefaultText: "never end"},
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			if err := arguments(c, 1, -1); err != nil {
				return err
			}
			if c.Int("count") < 0 || c.IsSet("count") && c.Int("count") == 0 {
				return usagef("--count is %d: it must be positive", c.Int("count"))
			}
			var groups []protocol.Group
			for _, text := range c.Args().Slice() {
				g, err := protocol.ParseGroup(text)
				if err != nil {
					return usagef("the group %q: %w", text, err)
				}
				groups = append(groups, g)
			}
			var e environment.Listen
			if err := settings.Load(&e); err != nil {
				return err
			}
			if e.Token.Empty() {
				return settings.Wrong("BELFRY_TOKEN", "is not set", "set the token that belfry dev or belfry token prints")
			}
			err := listen.Run(ctx, listen.Options{
				URL: e.URL, Token: e.Token.Reveal(), Groups: groups, Count: c.Int("count"), Out: c.Root().Writer,
				Say: func(format string, args ...any) { say(c, "belfry: %s", fmt.Sprintf(format, args...)) },
			})
			if errors.Is(err, context.Canceled) && ctx.Err() != nil {
				if c.Int("count") == 0 {
					return nil // a signal is the only way to end it
				}
				return errInterrupted
			}
			return err
		},
	}
}
