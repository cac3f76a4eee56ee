package relay

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/upkeep"
	"belfry/pkg/protocol"
)

// Sink takes what arrives for clients. Its methods are called by one goroutine,
// in the order of the reply queue; hub.Hub is one.
type Sink interface {
	// Deliver hands a batch of events to the members here. It returns when
	// every outbox has them; their memory is not kept.
	Deliver(events []protocol.Event)
	// Gap tells the members of groups that events may be missing.
	Gap(groups []protocol.Group)
	// GapShard is Gap for all groups of a shard.
	GapShard(shard, shards int)
	// Disconnect closes the connections that an application's order concerns.
	Disconnect(d protocol.Disconnect)
	// CloseAll closes all connections, spread over a time.
	CloseAll(code protocol.CloseCode, spread time.Duration)
}

// Options configures a Relay. Bus, Sink, Gateway and Shards are required.
type Options struct {
	Bus     amqpbus.Bus
	Sink    Sink
	Gateway protocol.GatewayID
	Shards  int
	Quorum  bool
	// Undeclared leaves everything but the own reply queue to the workers: the
	// gateway's broker user then needs no right to it.
	Undeclared bool
	// WorkerUsers are the broker users whose messages are taken as a worker's;
	// empty: the bus's own user.
	WorkerUsers []string
	// Linger is how long a group without members stays routed (default 10 s).
	Linger time.Duration
	// CloseSpread is how long closing everybody takes when a route stays lost
	// (default 10 s).
	CloseSpread time.Duration

	Logger     *zap.Logger           // nil: silent
	Registerer prometheus.Registerer // nil: the metrics are not registered
}

// Relay is a gateway's wires. Start it once, Stop it once.
type Relay struct {
	o        Options
	log      *zap.Logger
	metrics  *metrics
	announce *announcer
	receive  *receiver
	ask      *asker
	report   *reporter
	keep     *upkeep.Upkeep
	astray   astray

	quit    context.CancelFunc
	running sync.WaitGroup
}

// New checks the options and starts nothing.
func New(o Options) (*Relay, error) {
	switch {
	case o.Bus == nil || o.Sink == nil:
		return nil, errors.New("relay: a bus and a sink are required")
	case o.Gateway == "":
		return nil, errors.New("relay: the gateway's id is required")
	case o.Shards < 1 || o.Shards > protocol.MaxShards:
		return nil, errors.New("relay: the number of shards is out of bounds")
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if len(o.WorkerUsers) == 0 {
		o.WorkerUsers = []string{o.Bus.User()}
	}
	if o.CloseSpread == 0 {
		o.CloseSpread = 10 * time.Second
	}
	r := &Relay{o: o, log: o.Logger.Named("relay"), quit: func() {}}
	r.metrics = newMetrics(o.Registerer)
	r.announce = newAnnouncer(r)
	r.receive = newReceiver(r)
	r.ask = newAsker(r)
	r.report = newReporter(r)
	r.astray.r = r
	keep := upkeep.Of(r.layout(), o.Gateway)
	if o.Undeclared {
		keep = upkeep.Own(r.layout(), o.Gateway)
	}
	r.keep = upkeep.New(upkeep.Options{Bus: o.Bus, Topology: keep, Looked: r.astray.looked, Logger: r.log})
	return r, nil
}

// Start begins to connect, in the background and for ever; Ready tells when it
// works. The relay does not end with a context: call Stop.
func (r *Relay) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	r.quit = cancel
	for _, loop := range []struct {
		lost string // what is logged
		of   zap.Field
		once func(context.Context) error
	}{
		{"publisher lost, reopening", zap.String("for", "interest"), r.announce.once},
		{"consumer lost, reopening", zap.String("queue", amqpbus.ReplyQueue(string(r.o.Gateway))), r.receive.once},
		{"publisher lost, reopening", zap.String("for", "connection reports"), r.report.once},
		{"publisher lost, reopening", zap.String("for", "questions"), r.ask.once},
		{"publisher lost, reopening", zap.String("for", "upkeep"), r.keep.Run},
	} {
		r.running.Go(func() { r.serve(ctx, loop.lost, loop.of, loop.once) })
	}
}

// Stop publishes the reports that wait, withdraws all interest, then ends the
// loops and deletes the reply queue. Each step has half of the time that is left,
// so one that waits in vain (reports, where the workers have gone already) takes
// nothing from the others. What was not done is named in the error; the workers
// find it out by themselves.
func (r *Relay) Stop(ctx context.Context) error {
	err := errors.Join(within(ctx, r.report.flush), within(ctx, r.announce.bye))
	r.quit()
	r.running.Wait()
	r.ask.packs.Close()
	return errors.Join(err, r.deleteQueue(ctx))
}

// within gives a step half of the time that ctx leaves; without a deadline, all.
func within(ctx context.Context, step func(context.Context) error) error {
	if end, bounded := ctx.Deadline(); bounded {
		half, cancel := context.WithTimeout(ctx, time.Until(end)/2)
		defer cancel()
		ctx = half
	}
	return step(ctx)
}

// Ready returns the reasons why new connections must wait; empty: none.
func (r *Relay) Ready() []string {
	var why []string
	health := r.o.Bus.Health()
	switch {
	case !health.Connected && health.Err != nil:
		why = append(why, "not connected to the broker: "+health.Err.Error())
	case !health.Connected:
		why = append(why, "not connected to the broker")
	case health.Blocked != "":
		why = append(why, "the broker blocks publishers, free its memory or disk: "+health.Blocked)
	case health.Refused != "":
		why = append(why, "the broker refuses what is needed: "+health.Refused)
	}
	if !r.receive.up.Load() {
		why = append(why, "the reply queue has no consumer yet")
	}
	if !r.announce.up.Load() {
		why = append(why, "interest cannot be published yet")
	}
	if !r.ask.up() {
		why = append(why, "questions to workers cannot be published")
	}
	if reason := r.astray.reason(time.Now()); reason != "" {
		why = append(why, reason)
	}
	why = append(why, r.receive.workerless(time.Now())...)
	if n := r.receive.lost.Load(); n > 0 {
		why = append(why, fmt.Sprintf("%d of %d shards are silent: is a worker active on each?", n, r.o.Shards))
	}
	return why
}

// serve runs a loop again and again until ctx ends.
func (r *Relay) serve(ctx context.Context, lost string, of zap.Field, once func(context.Context) error) {
	// The receiver keeps no time in a pause, and its core believes no step over 1 s.
	amqpbus.Keep(ctx, time.Second, once, func(err error) {
		r.log.Warn(lost, of, zap.Error(err))
		r.keep.Soon() // what it needs may have been deleted
	})
}

// topology is what the gateway declares beside its reply queue.
func (r *Relay) topology() amqpbus.Topology {
	if r.o.Undeclared {
		return amqpbus.Topology{}
	}
	return amqpbus.SharedTopology(r.layout())
}

func (r *Relay) layout() amqpbus.Layout {
	return amqpbus.Layout{Shards: r.o.Shards, Quorum: r.o.Quorum}
}

func (r *Relay) deleteQueue(ctx context.Context) error {
	if !r.o.Bus.Health().Connected {
		return nil // it expires by itself
	}
	return r.o.Bus.Delete(ctx, amqpbus.ReplyQueue(string(r.o.Gateway)))
}
