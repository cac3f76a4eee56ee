// Command tower is the example application: jobs that really run, a page that
// shows them live, and the two things that Belfry asks of an application: it
// signs short-lived tokens, and it answers which groups a user may see.
//
//	tower serve   beside a gateway, a worker and a broker
//	tower demo    with a Belfry of its own, nothing else needed
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/urfave/cli/v3"

	"belfry/pkg/daemon"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), daemon.Endings()...)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := root().Run(ctx, os.Args); err != nil {
		_, _ = fmt.Fprintf(os.Stderr, "tower: %v\n", err)
		os.Exit(1)
	}
}

func root() *cli.Command {
	r := &cli.Command{
		Name:            "tower",
		Usage:           "an example application whose page is told of every change",
		Description:     "Example:\n  tower demo",
		HideHelpCommand: true,
		Commands:        []*cli.Command{serveCommand(), demoCommand()},
		ExitErrHandler:  func(context.Context, *cli.Command, error) {},
		Action: func(_ context.Context, c *cli.Command) error {
			if name := c.Args().First(); name != "" {
				return fmt.Errorf("there is no command %q; tower --help lists all", name)
			}
			return cli.ShowAppHelp(c)
		},
	}
	for _, c := range append(r.Commands, r) {
		c.OnUsageError = func(_ context.Context, c *cli.Command, err error, _ bool) error {
			return fmt.Errorf("%w; see %s --help", err, c.FullName())
		}
	}
	return r
}

// noArguments refuses what is not an option.
func noArguments(c *cli.Command) error {
	if c.Args().Present() {
		return fmt.Errorf("%s takes options alone, not %q; see %s --help", c.FullName(), c.Args().First(), c.FullName())
	}
	return nil
}
