package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/urfave/cli/v3"

	"belfry/cmd/belfry/internal/environment"
	"belfry/pkg/emitter"
	"belfry/pkg/protocol"
	"belfry/pkg/settings"
)

func emitCommand() *cli.Command {
	return &cli.Command{
		Name:      "emit",
		Usage:     "emit an event to a group",
		ArgsUsage: "GROUP JSON|-",
		Description: "The exit status is 0 when the broker has confirmed the event. With -, every line of\n" +
			"standard input is one event, emitted in order. BELFRY_AMQP_URL says where to send events:\n" +
			"amqp://, amqps://, or embedded:// for belfry dev, which prints the address. If it is not\n" +
			"set, a running belfry dev of the same user is used, or else a broker on this host.\n\n" +
			"Examples:\n" +
			"  belfry emit jobs-status_changed '{\"group_name\": \"jobs\", \"unified_job_id\": 42}'\n" +
			"  tail -f events.jsonl | belfry emit job_events-42 -",
		Flags: []cli.Flag{
			&cli.DurationFlag{Name: "expiration", Usage: "how long an event may wait for a worker, 0: no limit (default: BELFRY_EMIT_EXPIRATION, 60s)", HideDefault: true},
			&cli.BoolFlag{Name: "persistent", Usage: "let the event survive a restart of the broker (default: BELFRY_EMIT_PERSISTENT)", HideDefault: true},
			&cli.DurationFlag{Name: "timeout", Usage: "how long to wait for the broker's confirm", Value: 10 * time.Second},
		},
		Action: emit,
	}
}

func emit(ctx context.Context, c *cli.Command) error {
	if err := arguments(c, 2, 2); err != nil {
		return err
	}
	group, text := c.Args().Get(0), c.Args().Get(1)
	if _, err := protocol.ParseGroup(group); err != nil {
		return usagef("the group %q: %w", group, err)
	}
	if text != "-" {
		if err := checkPayload([]byte(text)); err != nil {
			return usageError{err}
		}
	}
	e, err := openEmitter(ctx, c)
	if err != nil {
		return err
	}
	if text == "-" {
		err = emitLines(ctx, e, group, c.Root().Reader)
	} else {
		err = e.Emit(ctx, group, []byte(text))
	}
	return finish(ctx, e, err)
}

// finish closes the emitter of a command that ended with err. If err is not nil, it does not
// wait, and only err is reported.
func finish(ctx context.Context, e *emitter.Emitter, err error) error {
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	if err == nil {
		return e.Close(closing)
	}
	cancel()
	_ = e.Close(closing) // cuts the connection, which is an error of its own
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return errInterrupted
	}
	return err
}

func openEmitter(ctx context.Context, c *cli.Command) (*emitter.Emitter, error) {
	unnamed := os.Getenv("BELFRY_AMQP_URL") == "" && !useDev(c)
	var s environment.Emit
	if err := settings.Load(&s); err != nil {
		return nil, err
	}
	if c.IsSet("expiration") {
		s.EmitExpiration = c.Duration("expiration")
	}
	if c.IsSet("persistent") {
		s.EmitPersistent = c.Bool("persistent")
	}
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if s.Embedded() && (c.IsSet("expiration") || c.IsSet("persistent")) {
		say(c, "belfry: --expiration and --persistent have no effect, because events go to belfry dev, which uses its own expiration and stores nothing")
	}
	o := emitter.Options{
		URL: s.AmqpURL.Reveal(), Name: s.Name + " belfry emit", Shards: s.Shards,
		Expiration: s.EmitExpiration, Persistent: s.EmitPersistent, Timeout: 10 * time.Second,
		Insecure: s.AmqpInsecure, CAFile: s.AmqpCAFile, CertFile: s.AmqpCertFile, KeyFile: s.AmqpKeyFile,
	}
	if o.Expiration == 0 {
		o.Expiration = -1 // no limit, for package emitter
	}
	if c.IsSet("timeout") {
		o.Timeout = c.Duration("timeout")
	}
	if o.Timeout <= 0 {
		return nil, usagef("--timeout is %v: it must be positive", o.Timeout)
	}
	if unnamed {
		if err := answers(ctx, s.Broker); err != nil {
			return nil, err
		}
	}
	e, err := emitter.Open(o)
	if err != nil {
		return nil, fmt.Errorf("BELFRY_AMQP_URL: %w", err)
	}
	return e, nil
}
