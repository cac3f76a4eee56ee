package main

import (
	"context"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"
	"go.uber.org/zap"

	"belfry/cmd/belfry/internal/check"
	"belfry/cmd/belfry/internal/environment"
	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/membus"
	"belfry/pkg/daemon"
	"belfry/pkg/protocol"
	"belfry/pkg/settings"
	gateway "belfry/services/gateway/app"
	worker "belfry/services/worker/app"
)

func checkCommand() *cli.Command {
	return &cli.Command{
		Name:  "check",
		Usage: "say what is wrong with the configuration, the broker and the permissions, and how to fix it",
		Description: "It checks the settings in the environment as gateway, worker and backend, the broker, what\n" +
			"this broker user may do there, and whether the numbers of shards agree. The exit status is\n" +
			"1 if something is wrong. That no worker runs is wrong, too, unless --nothing-runs is given.\n" +
			"Use --role where each program has its own environment. --group also sends an event all\n" +
			"the way: it opens BELFRY_URL with BELFRY_TOKEN, subscribes to the group, emits\n" +
			"{\"group_name\": ..., \"belfry_check\": ...} to it, which every client of the group receives,\n" +
			"and waits for it.\n\n" +
			"Examples:\n  belfry check --role worker\n" +
			"  BELFRY_TOKEN=... BELFRY_URL=wss://tower.example.com/websocket/ belfry check --group jobs-summary",
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "role", Usage: "gateway, worker or backend", DefaultText: "all three"},
			&cli.BoolFlag{Name: "nothing-runs", Usage: "before the first start: a missing worker is not an error", HideDefault: true},
			&cli.StringFlag{Name: "group", Usage: "send an event to this group and wait for it on the websocket"},
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			if err := arguments(c, 0, 0); err != nil {
				return err
			}
			useDev(c)
			wanted := c.StringSlice("role")
			if len(wanted) == 0 && strings.HasPrefix(os.Getenv("BELFRY_AMQP_URL"), "embedded://") {
				wanted = []string{check.RoleBackend} // belfry dev has checked the rest
			}
			for _, role := range wanted {
				if !slices.Contains(check.Roles(), role) {
					return usagef("--role is %q: %s", role, strings.Join(check.Roles(), ", "))
				}
			}
			o := check.Options{Version: daemon.Version, Out: c.Root().Writer, NothingRuns: c.Bool("nothing-runs")}
			if c.IsSet("group") {
				var err error
				if o.Try, err = tryOf(c); err != nil {
					return err
				}
			}
			for _, p := range programs() {
				if len(wanted) == 0 || slices.Contains(wanted, p.Role) {
					o.Programs = append(o.Programs, p)
				}
			}
			return check.Run(ctx, o)
		},
	}
}

// tryOf prepares the event that --group sends all the way.
func tryOf(c *cli.Command) (*check.Try, error) {
	group, err := protocol.ParseGroup(c.String("group"))
	if err != nil {
		return nil, usagef("--group is %q: %w", c.String("group"), err)
	}
	var l environment.Listen
	if err := settings.Load(&l); err != nil {
		return nil, err
	}
	if l.Token.Empty() {
		return nil, settings.Wrong("BELFRY_TOKEN", "is not set", "set a token that may see the group, for --group")
	}
	return &check.Try{
		URL: l.URL, Token: l.Token.Reveal(), Group: group,
		Emit: func(ctx context.Context, group protocol.Group, payload []byte) error {
			e, err := openEmitter(ctx, c)
			if err != nil {
				return err
			}
			return finish(ctx, e, e.Emit(ctx, string(group), payload))
		},
	}, nil
}

// programs are those whose configuration can be looked at.
func programs() []check.Program {
	return []check.Program{
		{Role: check.RoleGateway, Load: func() (settings.Broker, error) {
			var c gateway.Config
			if err := settings.Load(&c); err != nil {
				return c.Broker, err
			}
			_, err := gateway.New(c, nowhere(), zap.NewNop()) // reads what the settings name
			return c.Broker, err
		}},
		{Role: check.RoleWorker, Load: func() (settings.Broker, error) {
			var c worker.Config
			if err := settings.Load(&c); err != nil {
				return c.Broker, err
			}
			_, err := worker.New(c, nowhere(), zap.NewNop())
			return c.Broker, err
		}},
		{Role: check.RoleBackend, Load: func() (settings.Broker, error) {
			var s environment.Emit
			err := settings.Load(&s)
			return s.Broker, err
		}},
	}
}

// nowhere returns a bus for programs that are built but not started.
func nowhere() amqpbus.Bus { return membus.New().Open("check") }
