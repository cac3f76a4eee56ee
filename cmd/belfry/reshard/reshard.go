// Package reshard moves an installation to another number of shards, or to
// another type of shard queue, while no worker runs.
package reshard

import (
	"context"
	"errors"
	"fmt"
	"io"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/rabbit"
)

// Options say what to move. Both numbers are 1 to protocol.MaxShards.
type Options struct {
	Broker rabbit.Options
	From   int            // the number of shards until now
	To     amqpbus.Layout // what is to be
	Out    io.Writer      // a line for each step
}

// held is a queue of the old layout that is there.
type held struct {
	name     string
	messages int
}

// Run looks first and changes nothing when a worker still consumes, or when the
// old layout is not From. What waits in the old queues goes with them: it is for
// connections of gateways that have to be restarted with the new number anyway,
// and are closed then. When it fails half-way it can be run again.
func Run(ctx context.Context, o Options) error {
	old, err := look(ctx, o)
	if err != nil {
		return err
	}
	bus, err := rabbit.Open(o.Broker)
	if err != nil {
		return err
	}
	defer func() { _ = bus.Close(context.WithoutCancel(ctx)) }()
	if err := bus.Delete(ctx, amqpbus.QueueLayout); err != nil {
		return err
	}
	for _, q := range old {
		if err := bus.Delete(ctx, q.name); err != nil {
			return err
		}
		o.say("deleted  %s, in which %d messages waited", q.name, q.messages)
	}
	err = bus.Declare(ctx, amqpbus.SharedTopology(o.To))
	if errors.Is(err, amqpbus.ErrLayout) {
		return fmt.Errorf("a gateway or worker with another number of shards declared its own meanwhile: stop it and run this again: %w", err)
	}
	if err != nil {
		return err
	}
	for _, name := range amqpbus.Holding(o.To) {
		o.say("declared %s", name)
	}
	o.say("start workers and gateways with BELFRY_SHARDS=%d; emitters with another number are told that no queue takes their events", o.To.Shards)
	return nil
}

// look finds the queues of the old layout.
func look(ctx context.Context, o Options) ([]held, error) {
	probe, err := rabbit.OpenProbe(ctx, o.Broker)
	if err != nil {
		return nil, err
	}
	defer func() { _ = probe.Close() }()
	var old []held
	for _, name := range amqpbus.Holding(amqpbus.Layout{Shards: o.From}) {
		q, err := probe.Queue(name)
		switch {
		case errors.Is(err, amqpbus.ErrNoQueue):
		case err != nil:
			return nil, err
		case q.Consumers > 0:
			return nil, fmt.Errorf("%d workers still consume %s: stop every worker and gateway first", q.Consumers, name)
		default:
			old = append(old, held{name, q.Messages})
		}
	}
	if len(old) == 0 {
		return nil, fmt.Errorf("there are no queues of %d shards: belfry check tells which are there", o.From)
	}
	return old, nil
}

func (o Options) say(format string, args ...any) { _, _ = fmt.Fprintf(o.Out, format+"\n", args...) }
