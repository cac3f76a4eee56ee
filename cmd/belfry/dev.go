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

// stopWithin is how long stopping may take.
const stopWithin = 25 * time.Second

func devCommand() *cli.Command {
	return &cli.Command{
		Name:  "dev",
		Usage: "run gateway and worker in this process, without a broker",
		Description: "It prints a websocket address with a token, the address of a page to try it with, and a\n" +
			"command that emits an event. It uses the settings of gateways and workers, except those\n" +
			"about a broker, and listens on 127.0.0.1:8051 (BELFRY_LISTEN) and 127.0.0.1:9051\n" +
			"(BELFRY_ADMIN_LISTEN). Whoever emits events must know BELFRY_EMIT_SECRET; if it is not set,\n" +
			"a random one is made.\n\n" +
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

// runDev runs until ctx ends. dir is for files that are read at the start. It is removed as
// soon as they are read, so that nothing is left behind if the process is killed.
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
		return nil // a signal is the usual end, also during the start
	}
	if err != nil {
		return err
	}
	if forget, err := environment.LeaveAddress(d.EmitURL()); err == nil {
		defer func() { _ = forget() }()
	} else {
		say(c, "belfry: %v; set BELFRY_AMQP_URL for them as shown below", err)
	}
	err = d.Greet(c.Root().Writer, cfg.Self)
	if err == nil {
		<-ctx.Done()
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	return errors.Join(err, d.Stop(last))
}

// self returns the command that runs this program.
func self() string {
	if strings.Contains(os.Args[0], "go-build") { // a temporary copy made by go run
		return "go run ./cmd/belfry"
	}
	return os.Args[0]
}
