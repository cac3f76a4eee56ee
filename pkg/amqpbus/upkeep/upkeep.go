// Package upkeep brings back what somebody deleted in the broker while programs
// run: exchanges, bindings, and the queues whose loss no consumer has to tell of.
//
// A queue that a consumer watches (a shard's, a reply queue) is left to that
// consumer, which declares it when it opens it again and tells what went with it.
// Declared here, between its loss and that opening, it would look as if it had
// never been away.
package upkeep

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"go.uber.org/zap"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

const (
	// every is the mean time between two looks; each is half as long or half as
	// long again, so that the processes of an installation take turns.
	every = 20 * time.Second
	// atLeast is the least time between two looks, whoever asks for one.
	atLeast = time.Second
	// within bounds one look.
	within = 10 * time.Second
)

// Options of New. Bus is required.
type Options struct {
	Bus      amqpbus.Bus
	Topology amqpbus.Topology // what to look after, see Of
	// Looked is told of every look, by one goroutine: nil, or what could not be
	// brought back. It must not block; nil: nobody wants to know.
	Looked func(error)
	Logger *zap.Logger // nil: silent
}

// Upkeep looks after a topology. Run it once; Soon may be called concurrently.
type Upkeep struct {
	o    Options
	soon chan struct{} // capacity 1: look before the time
	last string        // what went wrong last; owned by Run
}

// New starts nothing.
func New(o Options) *Upkeep {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Looked == nil {
		o.Looked = func(error) {}
	}
	return &Upkeep{o: o, soon: make(chan struct{}, 1)}
}

// Of is what one process looks after: all exchanges and bindings, those of its own
// reply queue too, and the queues that nobody watches.
func Of[ID protocol.GatewayID | protocol.WorkerID](l amqpbus.Layout, id ID) amqpbus.Topology {
	shared, own := amqpbus.SharedTopology(l), amqpbus.ReplyTopology(l, id)
	t := amqpbus.Topology{Exchanges: shared.Exchanges, Bindings: append(shared.Bindings, own.Bindings...)}
	for _, q := range shared.Queues {
		if q.Name != amqpbus.QueueEmitIn && !strings.HasPrefix(q.Name, amqpbus.ShardQueues) {
			t.Queues = append(t.Queues, q)
		}
	}
	return t
}

// Own is what a process looks after that leaves the rest to others: the bindings of
// its own reply queue.
func Own[ID protocol.GatewayID | protocol.WorkerID](l amqpbus.Layout, id ID) amqpbus.Topology {
	return amqpbus.Topology{Bindings: amqpbus.ReplyTopology(l, id).Bindings}
}

// Soon asks for a look now, because something seems to be missing.
func (u *Upkeep) Soon() {
	select {
	case u.soon <- struct{}{}:
	default:
	}
}

// Run looks from time to time until ctx ends; its error is ctx's.
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
		return // what is missing shows when it is back
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
		u.o.Logger.Warn("what must exist in the broker could not all be declared again; belfry check says what is missing", zap.Error(err))
	}
}

// declare declares what is missing. A binding of a queue that is missing waits for
// the queue's consumer, and keeps no other one back.
func (u *Upkeep) declare(ctx context.Context) error {
	t := u.o.Topology
	if err := u.o.Bus.Declare(ctx, amqpbus.Topology{Exchanges: t.Exchanges, Queues: t.Queues}); err != nil {
		return fmt.Errorf("look after exchanges and queues: %w", err)
	}
	var problems []error
	for _, b := range t.Bindings {
		err := u.o.Bus.Declare(ctx, amqpbus.Topology{Bindings: []amqpbus.Binding{b}})
		if err != nil && !errors.Is(err, amqpbus.ErrNoQueue) {
			problems = append(problems, err)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("look after bindings: %w", err)
	}
	return nil
}
