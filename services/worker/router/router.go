package router

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/trust"
	"belfry/pkg/amqpbus/upkeep"
	"belfry/pkg/daemon"
	"belfry/pkg/protocol"
)

// Options configures a Router. Bus, Worker and Shards are required.
type Options struct {
	Bus    amqpbus.Bus
	Worker protocol.WorkerID
	Shards int
	Quorum bool
	// Users says whose control messages are believed; nil is the bus's own user.
	Users  Users
	Timing Timing
	Trace  Trace // nil: nothing is traced
	// Disconnected is told of every order to end connections, whichever worker
	// passed it on; nil: nobody wants to know. It must not block.
	Disconnected func(protocol.Disconnect)
	Logger       *zap.Logger           // may be nil
	Registerer   prometheus.Registerer // may be nil
}

// Router routes the emits of all shards that the broker makes this worker the
// active consumer of. Its methods may be called concurrently.
type Router struct {
	o       Options
	log     *zap.Logger
	metrics *metrics
	shards  []*shard
	colony  *colony

	stop    chan struct{} // closed by Stop: finish and go
	hard    context.Context
	kill    context.CancelFunc // ends what Stop did not see finished
	running sync.WaitGroup     // shards
	around  sync.WaitGroup     // everything that serves the shards
	quit    context.CancelFunc
	mail    gate // the reply queue is consumed
	expiry  gate // what expired is read

	once sync.Once
}

// New checks the options. Nothing is started.
func New(o Options) (*Router, error) {
	switch {
	case o.Bus == nil:
		return nil, errors.New("router: a bus is required")
	case o.Worker == "" || len(o.Worker) > maxIdentity:
		return nil, fmt.Errorf("router: the worker's id must have 1 to %d bytes", maxIdentity)
	case o.Shards < 1 || o.Shards > protocol.MaxShards:
		return nil, fmt.Errorf("router: shards must be 1 to %d, not %d", protocol.MaxShards, o.Shards)
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Users.Gateways == nil {
		o.Users.Gateways = trust.New("BELFRY_GATEWAY_USERS", []string{o.Bus.User()}, o.Logger)
	}
	if o.Users.Workers == nil {
		o.Users.Workers = trust.New("BELFRY_WORKER_USERS", []string{o.Bus.User()}, o.Logger)
	}
	o.Timing = o.Timing.withDefaults()
	r := &Router{o: o, log: o.Logger.Named("router"), stop: make(chan struct{})}
	r.metrics = newMetrics(o.Registerer, o.Shards)
	r.colony = newColony()
	for i := range o.Shards {
		r.shards = append(r.shards, newShard(r, i))
	}
	return r, nil
}

// Start declares the topology, within ctx, and starts routing. The router does
// not end with ctx: call Stop, also after an error.
func (r *Router) Start(ctx context.Context) error {
	if err := r.o.Bus.Declare(ctx, r.topology()); err != nil {
		return fmt.Errorf("router: declare the topology: %w", err)
	}
	r.hard, r.kill = context.WithCancel(context.Background())
	around, quit := context.WithCancel(r.hard)
	r.quit = quit
	consumer := func(queue string, once func(context.Context) error) {
		r.serve(around, "consumer lost, reopening", zap.String("queue", queue), once)
	}
	consumer(amqpbus.ReplyQueue(string(r.o.Worker)), r.readReplies)
	consumer(amqpbus.QueueExpired, r.readExpired)
	r.serve(around, "publisher lost, reopening", zap.String("for", "presence"), r.tellPresence)
	r.serve(around, "publisher lost, reopening", zap.String("for", "upkeep"), upkeep.New(upkeep.Options{
		Bus: r.o.Bus, Topology: upkeep.Of(r.layout(), r.o.Worker), Logger: r.log,
	}).Run)
	if r.o.Shards > 1 {
		consumer(amqpbus.QueueEmitIn, r.forward)
	}
	for _, s := range r.shards {
		r.running.Add(1)
		go func() {
			defer r.running.Done()
			s.run(r.hard)
		}()
	}
	return nil
}

// Stop gives every shard back: it finishes and acks what the worker has, then
// closes the shard's channel (R8). What is not finished when ctx ends is left
// to the next worker, which is safe but may deliver it twice. The error is
// ctx's. Further calls return nil.
func (r *Router) Stop(ctx context.Context) (err error) {
	r.once.Do(func() {
		close(r.stop)
		if r.kill == nil {
			return
		}
		defer r.kill()
		err = r.wait(ctx, &r.running)
		r.quit()
		err = errors.Join(err, r.wait(ctx, &r.around))
	})
	if err != nil {
		return fmt.Errorf("router: stop: %w", err)
	}
	return nil
}

// Ready returns the reasons why the router cannot do its work; empty: it can.
func (r *Router) Ready() []string {
	var why []string
	if !r.mail.open() {
		why = append(why, "the worker's reply queue has no consumer yet")
	}
	if !r.expiry.open() {
		why = append(why, "the expired-events queue is not being consumed; clients will not be told about expired events")
	}
	for _, s := range r.shards {
		if !s.gate.open() {
			why = append(why, fmt.Sprintf("shard %d has no consumer yet", s.index))
		}
	}
	return why
}

// wait waits for a group, or ends everything when ctx ends first.
func (r *Router) wait(ctx context.Context, group *sync.WaitGroup) error {
	err := daemon.Wait(ctx, group)
	if err != nil {
		r.kill()
		group.Wait()
	}
	return err
}

// serve runs one of the loops around the shards until ctx ends: once is opened
// anew, after a pause, whenever it returns.
func (r *Router) serve(ctx context.Context, lost string, of zap.Field, once func(context.Context) error) {
	r.around.Go(func() {
		amqpbus.Keep(ctx, 0, once, func(err error) { r.log.Warn(lost, of, zap.Error(err)) })
	})
}

func (r *Router) topology() amqpbus.Topology {
	return amqpbus.SharedTopology(r.layout())
}

func (r *Router) layout() amqpbus.Layout {
	return amqpbus.Layout{Shards: r.o.Shards, Quorum: r.o.Quorum}
}
