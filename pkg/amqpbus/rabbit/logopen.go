package rabbit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"belfry/pkg/amqpbus"
)

// failsFor is how long a log may fail to be served before an operator is told: while
// a cluster fails over, nodes refuse and fall silent for a while.
const failsFor = time.Minute

func (b *bus) OpenLogReader(ctx context.Context, o amqpbus.LogReaderOptions) (amqpbus.LogReader, error) {
	if o.At < amqpbus.LogNext {
		return nil, fmt.Errorf("read log %s: %d is no offset: it must be at least 0, or LogNext", o.Log, o.At)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.ctx, cancel)()
	l, err := b.reading.open(ctx, o)
	switch {
	case err == nil:
		return l, nil
	case b.ctx.Err() != nil:
		err = amqpbus.ErrClosed
	case ctx.Err() != nil:
		err = ctx.Err()
	}
	return nil, fmt.Errorf("read log %s: %w", o.Log, err)
}

// open asks the nodes in turn.
func (r *reading) open(ctx context.Context, o amqpbus.LogReaderOptions) (*logReader, error) {
	var all error
	first, nodes := r.turn(), r.connector.targets
	for i := range nodes {
		node := (first + i) % len(nodes)
		l, err := r.openAt(ctx, o, node)
		if err == nil {
			r.serves(o.Log)
			return l, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if len(nodes) > 1 {
			err = fmt.Errorf("%s: %w", nodes[node], err)
		}
		all = errors.Join(all, err)
	}
	return nil, r.fails(o.Log, all)
}

func (r *reading) openAt(ctx context.Context, o amqpbus.LogReaderOptions, node int) (*logReader, error) {
	l := &logReader{reading: r, log: o.Log, at: o.At, wake: make(chan struct{}, 1), done: make(chan struct{})}
	prefetch := amqpbus.LogPrefetch
	if before := r.carefulBefore(o.Log); o.At >= 0 && o.At < before {
		l.careful, prefetch = before, carefully
	}
	c, err := r.consume(ctx, o, node, prefetch)
	if err != nil {
		return nil, err
	}
	l.c = c
	l.ctx, l.cancel = context.WithCancel(r.bus.ctx)
	go l.pump()
	if !r.add(l) {
		_ = l.Close()
		return nil, amqpbus.ErrClosed
	}
	return l, nil
}

// logReason is the meaning of an error of the library while a log is read. That a
// queue of another kind was read is found later, by what it delivers.
func logReason(err error) error {
	why := reason(err)
	var e *amqp.Error
	switch {
	case errors.Is(why, amqpbus.ErrNoQueue):
		return fmt.Errorf("%w: %w", amqpbus.ErrLogGone, why)
	case !errors.As(err, &e) || !e.Server || e.Code == amqp.ConnectionForced:
		return becauseOf(err)
	case errors.Is(why, amqpbus.ErrHomeNode):
		return fmt.Errorf("%w: %w (%s): start that node. Where it runs and this stays, it was killed within moments of its first log and has lost it: delete the queue (rabbitmqctl delete_queue), and start a worker again", amqpbus.ErrLogRefused, amqpbus.ErrHomeNode, e.Reason)
	case strings.Contains(e.Reason, "replica on the local node"):
		return fmt.Errorf("%w: %w: unless a node has just started, give this one a replica (rabbitmq-streams add_replica)", amqpbus.ErrLogRefused, why)
	case e.Code == amqp.InternalError:
		return fmt.Errorf("%w: %w: %w", amqpbus.ErrLogRefused, errBroke, why)
	default:
		return fmt.Errorf("%w: %w", amqpbus.ErrLogRefused, why)
	}
}

// serves forgets that a log failed.
func (r *reading) serves(log string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.failing, log)
}

// fails tells an operator, when a log was not served for so long, or at once of what
// does not pass by itself.
func (r *reading) fails(log string, err error) error {
	r.mu.Lock()
	since, failing := r.failing[log]
	if !failing {
		since = time.Now()
		r.failing[log] = since
	}
	r.mu.Unlock()
	switch {
	case time.Since(since) >= failsFor:
		r.bus.refused(fmt.Errorf("no node of the broker has served the log %s since %s: %w", log, since.UTC().Format(time.RFC3339), err))
	case amqpbus.Standing(err):
		r.bus.refused(fmt.Errorf("read log %s: %w", log, err))
	}
	return err
}
