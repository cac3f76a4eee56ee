// Package reshard moves an installation to another number of shards, or to
// another type of queue, while nothing of it runs.
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

// Run looks first, and changes nothing when a worker still consumes, when there
// are no queues of the old layout, or when somebody should read belfry.dead.
// Events that wait in the old queues go with them: they are for connections of
// gateways that have stopped, which were closed.
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
	for _, q := range old {
		if err := bus.Delete(ctx, q.name); err != nil {
			return err
		}
		o.say("deleted  %s, in which %d messages waited", q.name, q.messages)
	}
	to := amqpbus.SharedTopology(o.To)
	err = bus.Declare(ctx, to)
	if errors.Is(err, amqpbus.ErrLayout) {
		return fmt.Errorf("a gateway or worker with another BELFRY_SHARDS was started meanwhile: stop it and run this again: %w", err)
	}
	if err != nil {
		return err
	}
	for _, q := range to.Queues {
		o.say("declared %s", q.Name)
	}
	o.say("start workers and gateways with BELFRY_SHARDS=%d; emitters with another number are told that no queue takes their events", o.To.Shards)
	return nil
}

// look finds the queues of the old layout, the mark of the layout first.
func look(ctx context.Context, o Options) ([]held, error) {
	probe, err := rabbit.OpenProbe(ctx, o.Broker)
	if err != nil {
		return nil, err
	}
	defer func() { _ = probe.Close() }()
	if _, err := probe.Queue(ctx, amqpbus.ShardQueue(o.From, 0)); errors.Is(err, amqpbus.ErrNoQueue) {
		return nil, fmt.Errorf("there are no queues of %d shards: belfry check says which exist", o.From)
	}
	var old []held
	for _, q := range amqpbus.SharedTopology(amqpbus.Layout{Shards: o.From}).Queues {
		state, err := probe.Queue(ctx, q.Name)
		switch {
		case errors.Is(err, amqpbus.ErrNoQueue):
		case err != nil:
			return nil, err
		case state.Consumers > 0:
			return nil, fmt.Errorf("%s still has %d consumers: stop every worker and gateway first", q.Name, state.Consumers)
		case q.Name == amqpbus.QueueDead && state.Messages > 0:
			return nil, fmt.Errorf("%s holds %d messages that could not be decoded: read them, then take them away (belfry dead --purge)", q.Name, state.Messages)
		default:
			old = append(old, held{q.Name, state.Messages})
		}
	}
	return old, nil
}

func (o Options) say(format string, args ...any) { _, _ = fmt.Fprintf(o.Out, format+"\n", args...) }
