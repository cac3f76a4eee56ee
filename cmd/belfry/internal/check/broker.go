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

// examination is the check of one broker as one user.
type examination struct {
	*report
	probe       *rabbit.Probe // never publishes, so the broker answers it during an alarm, too
	tries       *rabbit.Probe // for publishing
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
	case others: // reported already
	case e.nothingRuns:
		e.note("the queues do not exist yet: the first gateway or worker to start declares them")
	default:
		e.bad("running", errors.New("no worker has ever run here: start one, or use --nothing-runs before the first start"))
	}
}

// topologyThere reports whether the queues of this number of shards exist.
func (e *examination) topologyThere(ctx context.Context) bool {
	for log := range amqpbus.Logs(e.layout.Shards) {
		if _, err := e.probe.Queue(ctx, amqpbus.LeadQueue(e.layout.Shards, log)); err != nil {
			return false
		}
	}
	return true
}

// otherShards looks for queues of another number of shards. They get the events that are
// emitted to belfry.emit, too, and fill up if nobody consumes them.
func (e *examination) otherShards(ctx context.Context) (found bool) {
	for n := 1; n <= protocol.MaxShards && ctx.Err() == nil; n++ {
		if n == e.layout.Shards {
			continue
		}
		name := amqpbus.LeadQueue(n, 0)
		q, err := e.probe.Queue(ctx, name)
		if err != nil { // it does not exist, as it should be
			continue
		}
		found = true
		if q.Consumers > 0 {
			e.bad("shards", fmt.Errorf("BELFRY_SHARDS is %d here, but workers with %d shards run: set the same number everywhere", e.layout.Shards, n))
			continue
		}
		e.bad("shards", fmt.Errorf("BELFRY_SHARDS is %d here, but logs of %d shards still exist (%s is there) and store a copy of every event: "+
			"set BELFRY_SHARDS=%d, or stop everything and move over with belfry reshard --from %d --to %d", e.layout.Shards, n, name, n, n, e.layout.Shards))
	}
	return found
}

// asProcess declares, uses and deletes a queue, as a gateway and a worker do with theirs.
func (e *examination) asProcess(ctx context.Context, there bool, is func(role string) bool) {
	bus, err := rabbit.Open(e.connection)
	if err != nil {
		e.bad("broker", err)
		return
	}
	defer func() { _ = bus.Close(context.WithoutCancel(ctx)) }()
	if there && (e.broker.Declare || is(RoleWorker)) { // so Declare only compares, and creates nothing
		if err := bus.Declare(ctx, amqpbus.SharedTopology(e.layout)); err != nil {
			e.bad(aboutOf(err, "topology"), e.unlessBackend(err))
			return
		}
		e.good("topology: as this version declares it (BELFRY_SHARDS=%d)", e.layout.Shards)
	}
	id := protocol.WorkerID("belfry-check." + protocol.NewIncarnation())
	own := amqpbus.ReplyTopology(e.layout, id)
	if !there { // there are no exchanges to bind to
		own.Bindings = nil
	}
	queue := amqpbus.ReplyQueue(string(id))
	if err := bus.Declare(ctx, own); err != nil {
		e.bad(aboutOf(err, "permissions"), e.unlessBackend(err))
		return
	}
	e.good("permissions: this user may declare and bind its own queue")
	if err := e.echo(ctx, bus, queue); err != nil {
		e.refused("permissions", err)
	} else {
		e.good("permissions: this user may publish and consume")
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

// refused reports why a publish failed, or that the broker blocks publishers.
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
	return fmt.Errorf("%w (if this user only emits events, check it with --role backend)", err)
}

// echo publishes a message to its own queue, receives it, and compares the validated user.
func (e *examination) echo(ctx context.Context, bus amqpbus.Bus, queue string) error {
	consumer, err := bus.OpenConsumer(ctx, amqpbus.ConsumerOptions{Queue: queue, Exclusive: e.layout.ExclusiveReplies(), Prefetch: 1})
	if err != nil {
		return fmt.Errorf("consume: %w", err)
	}
	defer func() { _ = consumer.Close() }()
	// Workers park messages through the default exchange.
	if err := e.tries.Publish(ctx, amqpbus.Message{Key: queue, Type: "check", Body: []byte("{}")}); err != nil {
		return fmt.Errorf("publish to the default exchange: %w", err)
	}
	got, err := consumer.Receive(ctx, 1)
	for ; err == nil && got[0].Type != "check"; got, err = consumer.Receive(ctx, 1) {
		_ = consumer.Ack(got[0]) // workers publish to all reply queues
	}
	if err != nil {
		return fmt.Errorf("receive: %w", err)
	}
	if got[0].UserID != e.probe.User() {
		return fmt.Errorf("the broker delivered a message of user %q as user %q: gateways and workers cannot recognize each other", e.probe.User(), got[0].UserID)
	}
	return consumer.Ack(got[0])
}

// mayPublish publishes mandatory messages with keys that no queue is bound with: one that is
// returned was allowed. Fanout and topic exchanges are left out, because others would get the
// messages. Only workers write marks to the logs.
func (e *examination) mayPublish(ctx context.Context, key string, worker bool) {
	var problems []error
	exchanges := []string{amqpbus.ExchangeQuestions, amqpbus.ExchangeReply}
	if worker {
		exchanges = append(exchanges, amqpbus.EmitLogs(e.layout.Shards))
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
	e.good("permissions: this user may publish to belfry.session, belfry.reply and the shards")
}
