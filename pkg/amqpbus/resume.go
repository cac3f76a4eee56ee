package amqpbus

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// inUseBound is how long OpenConsumer tries while another consumer holds the queue:
	// usually an old link of this process, until the broker has missed three of its
	// heartbeats.
	inUseBound = 30 * time.Second
	retryEvery = 500 * time.Millisecond
)

// Unread remembers the queues that a bus found missing and has not consumed since. If such a
// queue was declared and consuming it failed, the next attempt finds the queue, but
// Consumer.Resumed must still report false, because its messages were lost. Unread is for
// implementations of Bus. It is safe for concurrent use.
type Unread struct {
	mu     sync.Mutex
	queues map[string]bool // guarded by mu; never more than a few
}

// OpenSteps are the steps of OpenConsumer that an implementation provides.
type OpenSteps struct {
	// Exists reports whether the queue exists, without changing it.
	Exists func(ctx context.Context) (bool, error)
	// Declare declares the topology.
	Declare func(ctx context.Context, t Topology) error
	// Consume starts the consumer. It may be called again after ErrInUse.
	Consume func(ctx context.Context) error
}

// Open performs the steps in the order that ConsumerOptions documents. resumed is the result
// of Consumer.Resumed.
func (u *Unread) Open(ctx context.Context, o ConsumerOptions, steps OpenSteps) (resumed bool, err error) {
	if o.Declare == nil {
		return !u.has(o.Queue), u.consumed(o.Queue, steps.Consume(ctx))
	}
	there, err := steps.Exists(ctx)
	if err != nil {
		return false, err
	}
	if !there {
		u.note(o.Queue)
	}
	if err := steps.Declare(ctx, *o.Declare); err != nil {
		return false, err
	}
	err = Retry(ctx, inUseBound, ErrInUse, func() error { return steps.Consume(ctx) })
	return !u.has(o.Queue), u.consumed(o.Queue, err)
}

func (u *Unread) note(queue string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.queues == nil {
		u.queues = map[string]bool{}
	}
	u.queues[queue] = true
}

func (u *Unread) has(queue string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.queues[queue]
}

// consumed removes the queue from u if err is nil, and returns err.
func (u *Unread) consumed(queue string, err error) error {
	if err == nil {
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(u.queues, queue)
	}
	return err
}

// Retry makes attempts, half a second apart, while they end with why, and at most
// for so long. What it returns after ctx has ended says why as well.
func Retry(ctx context.Context, within time.Duration, why error, attempt func() error) error {
	bound := time.Now().Add(within)
	var held error // how the last attempt ended
	for {
		err := attempt()
		if held != nil && err != nil && ctx.Err() != nil {
			return errors.Join(held, ctx.Err())
		}
		if !errors.Is(err, why) || time.Now().After(bound) {
			return err
		}
		held = err
		t := time.NewTimer(retryEvery)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return errors.Join(held, ctx.Err())
		}
	}
}
