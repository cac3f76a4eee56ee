// Package upkeep declares again what somebody has deleted in the broker while programs
// run: exchanges, bindings, and those queues whose loss nobody has to report.
//
// A queue whose consumer must report its loss (a shard's, a reply queue) is left to that
// consumer, which declares it when it opens it again. If it were declared here first, the
// consumer could not see that it had been deleted.
package upkeep

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

const (
	// every is the mean time between two checks. It varies by half, so that the processes
	// of an installation do not check at the same time.
	every = 20 * time.Second
	// atLeast is the minimum time between two checks, also if Soon is called.
	atLeast = time.Second
	// within is how long a check may take.
	within = 10 * time.Second
)

// Options of New. Bus is required.
type Options struct {
	Bus      amqpbus.Bus
	Topology amqpbus.Topology // what to declare, see Of
	// Looked is called after every check, by one goroutine, with nil or the error of what
	// could not be declared. It must not block. It may be nil.
	Looked func(error)
	Logger *zap.Logger // nil: nothing is logged
}

// Upkeep keeps a topology declared. Call Run once; Soon may be called concurrently.
type Upkeep struct {
	o    Options
	soon chan struct{} // capacity 1: check at once
	last string        // the last logged error; owned by Run
}

// New makes an Upkeep. It starts nothing.
func New(o Options) *Upkeep {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Looked == nil {
		o.Looked = func(error) {}
	}
	return &Upkeep{o: o, soon: make(chan struct{}, 1)}
}

// Of returns what one process keeps declared: all exchanges and bindings, also those of its
// own reply queue, and the queues whose loss nobody has to report.
func Of[ID protocol.GatewayID | protocol.WorkerID](l amqpbus.Layout, id ID) amqpbus.Topology {
	shared, own := amqpbus.SharedTopology(l), amqpbus.ReplyTopology(l, id)
	t := amqpbus.Topology{Exchanges: shared.Exchanges, Bindings: append(shared.Bindings, own.Bindings...)}
	for _, q := range shared.Queues {
		if !q.Stream && !q.SingleActiveConsumer {
			t.Queues = append(t.Queues, q)
		}
	}
	return t
}

// Own returns what a process keeps declared that leaves the rest to others: the bindings of its
// own reply queue.
func Own[ID protocol.GatewayID | protocol.WorkerID](l amqpbus.Layout, id ID) amqpbus.Topology {
	return amqpbus.Topology{Bindings: amqpbus.ReplyTopology(l, id).Bindings}
}

// Soon makes Run check at once, because something seems to be missing.
func (u *Upkeep) Soon() {
	select {
	case u.soon <- struct{}{}:
	default:
	}
}

// Run checks from time to time until ctx ends, and returns ctx's error.
func (u *Upkeep) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(every/2 + rand.N(every)) // jitter, not a secret
		select {
		case <-timer.C:
		case <-u.soon:
		case <-ctx.Done():
			return ctx.Err()
		}
		u.look(ctx)
		timer.Reset(atLeast)
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (u *Upkeep) look(ctx context.Context) {
	if !u.o.Bus.Health().Connected {
		return // the next check after the reconnect finds what is missing
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	err := u.declare(ctx)
	u.o.Looked(err)
	switch {
	case err == nil:
		u.last = ""
	case err.Error() != u.last && !errors.Is(err, context.Canceled):
		u.last = err.Error()
		u.o.Logger.Warn("could not declare everything that must exist in the broker; belfry check says what is missing", zap.Error(err))
	}
}

// declare declares what is missing. It skips a binding whose queue is missing, which the
// queue's consumer will declare.
func (u *Upkeep) declare(ctx context.Context) error {
	t := u.o.Topology
	if err := u.o.Bus.Declare(ctx, amqpbus.Topology{Exchanges: t.Exchanges, Queues: t.Queues}); err != nil {
		return fmt.Errorf("declare exchanges and queues: %w", err)
	}
	var problems []error
	for _, b := range t.Bindings {
		err := u.o.Bus.Declare(ctx, amqpbus.Topology{Bindings: []amqpbus.Binding{b}})
		if err != nil && !errors.Is(err, amqpbus.ErrNoQueue) {
			problems = append(problems, err)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("declare bindings: %w", err)
	}
	return nil
}
