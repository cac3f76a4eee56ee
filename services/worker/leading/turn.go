package leading

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"belfry/pkg/amqpbus"
)

// batons is how many messages of the lead queue are unacked at most: the one that is
// held, and the next, for which the older one is acked.
const unackedBatons = 2

// errLeft ends a turn that the machine wanted to end.
var errLeft = errors.New("the log was given to another worker")

// turn is one life of a publisher and of a consumer of the lead queue: where one of them
// ends, so does the other.
func (l *log) turn(ctx context.Context) error {
	ctx, leave := context.WithCancelCause(ctx)
	var sending sync.WaitGroup
	sending.Go(func() { leave(fmt.Errorf("send: %w", l.sender.Once(ctx))) })
	defer func() {
		leave(nil)
		sending.Wait()
	}()
	topology := amqpbus.LogTopology(l.of.o.Layout).Of(amqpbus.LeadQueue(l.of.o.Layout.Shards, l.number))
	con, err := l.of.o.Bus.OpenConsumer(ctx, amqpbus.ConsumerOptions{
		Queue: topology.Queues[0].Name, Declare: &topology, Prefetch: unackedBatons,
	})
	if err != nil {
		return fmt.Errorf("consume the lead queue: %w", reason(ctx, err))
	}
	l.inbox.Put(func() { l.leave = func() { leave(errLeft) } })
	l.up.Store(true)
	defer func() {
		l.up.Store(false)
		_ = con.Close() // the next worker gets the baton
		l.inbox.Put(l.turnEnded)
	}()
	for {
		pack, err := con.Receive(ctx, unackedBatons)
		if err != nil {
			return fmt.Errorf("receive a baton: %w", reason(ctx, err))
		}
		for _, d := range pack {
			l.inbox.Put(func() { l.hold(baton{con, d}) })
		}
	}
}

// reason says why a turn's context ended, where that is what an error says.
func reason(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, ctx.Err()) {
		return cause
	}
	return err
}

// lost is told why a turn ended.
func (l *log) lost(err error) {
	if !errors.Is(err, errLeft) {
		l.logger.Warn("consumer lost, reopening", zap.String("queue", amqpbus.LeadQueue(l.of.o.Layout.Shards, l.number)), zap.Error(err))
	}
}

// hold takes a baton.
func (l *log) hold(b baton) {
	l.last++
	l.batons[l.last] = b
	l.machine.Baton(l.last, uint64(time.Now().UnixMilli()))
}

func (l *log) turnEnded() {
	l.leave = nil
	clear(l.batons)
	l.machine.BatonLost()
}
