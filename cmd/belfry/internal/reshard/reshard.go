// Package reshard changes an installation's number of shards or type of queues. No gateway
// and no worker may run meanwhile.
package reshard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/rabbit"
)

// Options configures Run. Both numbers of shards must be 1 to protocol.MaxShards.
type Options struct {
	Broker rabbit.Options
	From   int            // the present number of shards
	To     amqpbus.Layout // the new layout
	Out    io.Writer      // gets a line for each step
}

// held is an existing queue of the old layout.
type held struct {
	name     string
	messages int
}

// Run deletes the queues of the old layout and declares those of the new one. It changes
// nothing and returns an error if a worker still consumes, if there are no queues of the old
// layout, or if there are messages in belfry.dead. Events in the old queues are deleted; their
// connections were closed when the gateways stopped.
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
		o.say("deleted  %s with %d messages", q.name, q.messages)
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
	o.say("start workers and gateways with BELFRY_SHARDS=%d, and set it for emitters, too: with another number their events are not accepted", o.To.Shards)
	return nil
}

// look returns the existing queues of the old layout, the layout's mark first.
func look(ctx context.Context, o Options) ([]held, error) {
	probe, err := rabbit.OpenProbe(ctx, o.Broker)
	if err != nil {
		return nil, err
	}
	defer func() { _ = probe.Close() }()
	names := amqpbus.Older(o.From)
	for _, q := range amqpbus.SharedTopology(amqpbus.Layout{Shards: o.From}).Queues {
		names = append(names, q.Name)
	}
	var old []held
	logs := false // or what was there in their place
	for _, name := range names {
		state, err := probe.Queue(ctx, name)
		switch {
		case errors.Is(err, amqpbus.ErrNoQueue):
		case err != nil:
			return nil, err
		case state.Consumers > 0:
			return nil, fmt.Errorf("%s still has %d consumers: stop every worker and gateway first", name, state.Consumers)
		case name == amqpbus.QueueDead && state.Messages > 0:
			return nil, fmt.Errorf("%s holds %d messages that could not be handled: read and remove them first (belfry dead --purge)", name, state.Messages)
		default:
			old = append(old, held{name, state.Messages})
			logs = logs || strings.Contains(name, ".n"+strconv.Itoa(o.From)+".")
		}
	}
	if !logs {
		return nil, fmt.Errorf("there are no queues of %d shards: belfry check says which exist", o.From)
	}
	return old, nil
}

func (o Options) say(format string, args ...any) { _, _ = fmt.Fprintf(o.Out, format+"\n", args...) }
