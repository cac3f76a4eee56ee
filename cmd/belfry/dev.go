package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	docs "github.com/urfave/cli-docs/v3"
	"github.com/urfave/cli/v3"

	"belfry/cmd/belfry/internal/dev"
	"belfry/cmd/belfry/internal/environment"
	"belfry/pkg/daemon"
)

// stopWithin bounds the end of a development installation.
const stopWithin = 25 * time.Second

func devCommand() *cli.Command {
	return &cli.Command{
		Name:  "dev",
		Usage: "run gateway and worker in this process, without a broker",
		Description: "It prints a websocket address with a token, a page to look at, and a line to emit with.\n" +
			"It reads what gateways and workers read, but nothing about a broker, and listens on\n" +
			"127.0.0.1:8051 (BELFRY_LISTEN) and 127.0.0.1:9051 (BELFRY_ADMIN_LISTEN). BELFRY_EMIT_SECRET\n" +
			"is what opens the door for events; a new one is drawn when it is not set.\n\n" +
			"Example:\n  belfry dev",
		Action: func(ctx context.Context, c *cli.Command) (err error) {
			if err := arguments(c, 0, 0); err != nil {
				return err
			}
			dir, err := os.MkdirTemp("", "belfry-dev-")
			if err != nil {
				return fmt.Errorf("create a folder for tokens and policy: %w", err)
			}
			defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
			return runDev(ctx, c, dir)
		},
	}
}

// runDev runs until ctx ends. dir is for files that are read at the start; it
// goes when they are read, so that nothing is left however the process ends.
func runDev(ctx context.Context, c *cli.Command, dir string) error {
	cfg, err := dev.Load(ctx, dir)
	if err != nil {
		return err
	}
	cfg.Self = self()
	if cfg.Manual, err = docs.ToMarkdown(c.Root()); err != nil {
		return fmt.Errorf("write the manual: %w", err)
	}
	log, err := daemon.OpenLog(cfg.Gateway.LogLevel, cfg.Gateway.LogFormat)
	if err != nil {
		return err
	}
	defer log.Close()
	d, err := dev.Start(ctx, cfg, log.Logger)
	err = errors.Join(err, os.RemoveAll(dir))
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return nil // a signal is how it ends, also while it starts
	}
	if err != nil {
		return err
	}
	if forget, err := environment.LeaveDoor(d.Door()); err == nil {
		defer func() { _ = forget() }()
	} else {
		say(c, "belfry: %v; they need the line below", err)
	}
	err = d.Greet(c.Root().Writer, cfg.Self)
	if err == nil {
		<-ctx.Done()
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	return errors.Join(err, d.Stop(last))
}

// self is how this program is run again.
func self() string {
	if strings.Contains(os.Args[0], "go-build") { // go run's own copy, gone tomorrow
		return "go run ./cmd/belfry"
	}
	return os.Args[0]
}
