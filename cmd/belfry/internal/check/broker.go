package check

import (
	"context"
	"errors"
	"fmt"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/rabbit"
	"belfry/pkg/protocol"
	"belfry/pkg/settings"
)

// examination is the look at one broker as one user.
type examination struct {
	*report
	probe       *rabbit.Probe // looks, and never publishes: it gets its answers also under an alarm
	tries       *rabbit.Probe // publishes
	connection  rabbit.Options
	broker      settings.Broker
	layout      amqpbus.Layout
	nothingRuns bool
}

func (e *examination) run(ctx context.Context, is func(role string) bool) {
	there := e.topologyThere(ctx)
	others := e.otherShards(ctx)
	if is(RoleGateway) || is(RoleWorker) {
		e.asProcess(ctx, there, is)
	}
	switch {
	case there:
		if is(RoleBackend) {
			e.asBackend(ctx)
		}
		e.running(ctx)
	case others: // said
	case e.nothingRuns:
		e.note("the queues do not exist yet: the first gateway or worker to start declares them")
	default:
		e.bad("running", errors.New("no worker has ever run here: start one, or say --nothing-runs while it is meant to be so"))
	}
}

// topologyThere reports whether an installation with this number of shards has
// been here.
func (e *examination) topologyThere(ctx context.Context) bool {
	for shard := range e.layout.Shards {
		if _, err := e.probe.Queue(ctx, amqpbus.ShardQueue(e.layout.Shards, shard)); err != nil {
			return false
		}
	}
	return true
}

// otherShards looks for queues of another number of shards: both get what is
// emitted to belfry.emit, and the one that nobody reads fills up.
func (e *examination) otherShards(ctx context.Context) (found bool) {
	for n := 1; n <= protocol.MaxShards && ctx.Err() == nil; n++ {
		if n == e.layout.Shards {
			continue
		}
		name := amqpbus.ShardQueue(n, 0)
		q, err := e.probe.Queue(ctx, name)
		if err != nil { // not there, which is good
			continue
		}
		found = true
		if q.Consumers > 0 {
			e.bad("shards", fmt.Errorf("BELFRY_SHARDS is %d here, but workers with %d shards run: set the same number everywhere", e.layout.Shards, n))
			continue
		}
		e.bad("shards", fmt.Errorf("BELFRY_SHARDS is %d here, but queues of %d shards still exist (%d messages in %s) and store a copy of every event: "+
			"set BELFRY_SHARDS=%d, or stop everything and move over with belfry reshard --from %d --to %d", e.layout.Shards, n, q.Messages, name, n, n, e.layout.Shards))
	}
	return found
}

// asProcess does what a gateway and a worker do with their own queue.
func (e *examination) asProcess(ctx context.Context, there bool, is func(role string) bool) {
	bus, err := rabbit.Open(e.connection)
	if err != nil {
		e.bad("broker", err)
		return
	}
	defer func() { _ = bus.Close(context.WithoutCancel(ctx)) }()
	if there && (e.broker.Declare || is(RoleWorker)) { // then it compares, and creates nothing
		if err := bus.Declare(ctx, amqpbus.SharedTopology(e.layout)); err != nil {
			e.bad(aboutOf(err, "topology"), e.unlessBackend(err))
			return
		}
		e.good("topology: as this version declares it (BELFRY_SHARDS=%d)", e.layout.Shards)
	}
	id := protocol.WorkerID("belfry-check." + protocol.NewIncarnation())
	own := amqpbus.ReplyTopology(e.layout, id)
	if !there { // the exchanges are not there to bind to
		own.Bindings = nil
	}
	queue := amqpbus.ReplyQueue(string(id))
	if err := bus.Declare(ctx, own); err != nil {
		e.bad(aboutOf(err, "permissions"), e.unlessBackend(err))
		return
	}
	e.good("permissions: may declare and bind its own queue")
	if err := e.echo(ctx, bus, queue); err != nil {
		e.refused("permissions", err)
	} else {
		e.good("permissions: may publish and consume")
	}
	if there && e.tries.Blocked() == "" {
		e.mayPublish(ctx, string(id), is(RoleWorker))
	}
	if there {
		e.hear(ctx, bus, queue, is(RoleGateway))
	}
	if err := bus.Delete(ctx, queue); err != nil {
		e.bad("permissions", err)
	}
}

// refused adds what came of a publish, or that the broker takes none now.
func (e *examination) refused(about string, err error) {
	if reason := e.tries.Blocked(); reason != "" {
		about, err = "broker", fmt.Errorf("%w: %s: events, handshakes and subscriptions wait until it is over: "+
			"free memory or disk space where the broker runs (rabbitmqctl status shows its alarms), or raise its limits", amqpbus.ErrBlocked, reason)
	}
	e.bad(aboutOf(err, about), err)
}

func (e *examination) unlessBackend(err error) error {
	if !errors.Is(err, amqpbus.ErrPermission) {
		return err
	}
	return fmt.Errorf("%w (a user that only emits is checked with --role backend)", err)
}

// echo sends a message to the own queue, and gets it with the user's name on it.
func (e *examination) echo(ctx context.Context, bus amqpbus.Bus, queue string) error {
	consumer, err := bus.OpenConsumer(ctx, amqpbus.ConsumerOptions{Queue: queue, Exclusive: e.layout.ExclusiveReplies(), Prefetch: 1})
	if err != nil {
		return fmt.Errorf("consume: %w", err)
	}
	defer func() { _ = consumer.Close() }()
	// The default exchange is what workers park messages through.
	if err := e.tries.Publish(ctx, amqpbus.Message{Key: queue, Type: "check", Body: []byte("{}")}); err != nil {
		return fmt.Errorf("publish to the default exchange: %w", err)
	}
	got, err := consumer.Receive(ctx, 1)
	for ; err == nil && got[0].Type != "check"; got, err = consumer.Receive(ctx, 1) {
		_ = consumer.Ack(got[0]) // a worker speaks to all
	}
	if err != nil {
		return fmt.Errorf("receive: %w", err)
	}
	if got[0].UserID != e.probe.User() {
		return fmt.Errorf("the broker named user %q for a message that %q published: gateways and workers cannot recognize each other", got[0].UserID, e.probe.User())
	}
	return consumer.Ack(got[0])
}

// mayPublish publishes, mandatory, with keys that no queue takes: what comes
// back was allowed. To fanout and topic exchanges that would reach others, so
// those are left out. A worker alone forwards to the shards.
func (e *examination) mayPublish(ctx context.Context, key string, worker bool) {
	var problems []error
	exchanges := []string{amqpbus.ExchangeQuestions, amqpbus.ExchangeReply, amqpbus.InterestExchange(e.layout.Shards)}
	if worker {
		exchanges = append(exchanges, amqpbus.EmitShards(e.layout.Shards))
	}
	for _, exchange := range exchanges {
		m := amqpbus.Message{Exchange: exchange, Key: "nobody." + key, Type: "check", Body: []byte("{}")}
		if err := e.tries.Publish(ctx, m); !errors.Is(err, amqpbus.ErrUnroutable) && err != nil {
			problems = append(problems, fmt.Errorf("publish to %s: %w", exchange, err))
		}
	}
	if err := errors.Join(problems...); err != nil {
		e.refused("permissions", err)
		return
	}
	e.good("permissions: may publish to belfry.session, belfry.reply and the shards")
}
