package main

import (
	"context"
	"fmt"

	docs "github.com/urfave/cli-docs/v3"
	"github.com/urfave/cli/v3"
)

func manCommand() *cli.Command {
	return &cli.Command{
		Name:        "man",
		Usage:       "print the manual page",
		Description: "Examples:\n  belfry man >/usr/local/share/man/man1/belfry.1\n  belfry man | man -l -",
		Action: func(_ context.Context, c *cli.Command) error {
			if err := arguments(c, 0, 0); err != nil {
				return err
			}
			page, err := docs.ToManWithSection(c.Root(), 1)
			if err != nil {
				return fmt.Errorf("write the manual page: %w", err)
			}
			return result(c, "%s", page)
		},
	}
}
