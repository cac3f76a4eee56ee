package main

import (
	"context"
	"fmt"
	"io"

	"github.com/urfave/cli/v3"

	"belfry/pkg/daemon"
)

// root is the tree of commands.
func root(in io.Reader, out, errOut io.Writer) *cli.Command {
	r := &cli.Command{
		Name:  "belfry",
		Usage: "carry events from RabbitMQ to the browsers that watch for them",
		Description: "BELFRY_ variables configure every command: docs/configuration.md.\n\n" +
			"Example:\n  belfry emit jobs-summary '{\"unified_job_id\": 42}'",
		Version: daemon.Version,
		Reader:  in, Writer: out, ErrWriter: errOut,
		HideHelpCommand:       true,
		EnableShellCompletion: true,
		ConfigureShellCompletionCommand: func(c *cli.Command) {
			c.Hidden, c.Usage = false, "print the completion script for a shell"
			c.Description = "Examples:\n  belfry completion bash >/etc/bash_completion.d/belfry\n  source <(belfry completion zsh)"
		},
		Commands: []*cli.Command{
			devCommand(), emitCommand(), disconnectCommand(), listenCommand(), tokenCommand(), checkCommand(), permissionsCommand(), deadCommand(), reshardCommand(), manCommand(), versionCommand(),
		},
		// run chooses the exit status.
		ExitErrHandler: func(context.Context, *cli.Command, error) {},
		Action: func(_ context.Context, c *cli.Command) error {
			if name := c.Args().First(); name != "" {
				return usagef("there is no command %q; belfry --help lists all", name)
			}
			return cli.ShowAppHelp(c)
		},
	}
	for _, c := range append(r.Commands, r) {
		c.OnUsageError = func(_ context.Context, c *cli.Command, err error, _ bool) error {
			return usagef("%w; see %s --help", err, c.FullName())
		}
	}
	return r
}

func versionCommand() *cli.Command {
	return &cli.Command{
		Name:        "version",
		Usage:       "print the version",
		Description: "Example:\n  belfry version",
		Action: func(_ context.Context, c *cli.Command) error {
			if err := arguments(c, 0, 0); err != nil {
				return err
			}
			return result(c, "belfry %s\n", daemon.Version)
		},
	}
}

// arguments checks the number of arguments. A negative most means no upper limit.
func arguments(c *cli.Command, least, most int) error {
	if n := c.Args().Len(); n < least || most >= 0 && n > most {
		return usagef("%s does not take %d arguments; see %s --help", c.FullName(), n, c.FullName())
	}
	return nil
}

// result writes a result to standard output.
func result(c *cli.Command, format string, args ...any) error {
	if _, err := fmt.Fprintf(c.Root().Writer, format, args...); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}

// say writes a message that is not a result to standard error.
func say(c *cli.Command, format string, args ...any) {
	_, _ = fmt.Fprintf(c.Root().ErrWriter, format+"\n", args...)
}
