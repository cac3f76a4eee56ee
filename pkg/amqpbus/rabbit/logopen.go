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
	conn, err := r.connect(ctx, node)
	if err != nil {
		return nil, err
	}
	ch, err := step(ctx, conn.Channel)
	if err != nil {
		r.abandon(conn, err)
		return nil, err
	}
	l := &logReader{reading: r, conn: conn, node: node, ch: ch, log: o.Log, wake: make(chan struct{}, 1), done: make(chan struct{})}
	lost := ch.NotifyClose(make(chan *amqp.Error, 1))
	cancelled := ch.NotifyCancel(make(chan string, 1))
	in, err := step(ctx, func() (<-chan amqp.Delivery, error) {
		if err := ch.Qos(amqpbus.LogPrefetch, 0, false); err != nil {
			return nil, err
		}
		return ch.Consume(o.Log, "belfry", false, false, false, false, amqp.Table{"x-stream-offset": place(o.At)})
	})
	if err != nil {
		r.abandon(conn, err)
		return nil, err
	}
	go l.pump(in, lost, cancelled)
	if !r.add(l) {
		_ = l.Close()
		return nil, amqpbus.ErrClosed
	}
	return l, nil
}

// place is where a reader begins, in the broker's words.
func place(at int64) any {
	if at == amqpbus.LogNext {
		return "next"
	}
	return at
}

// step makes one request, within LogStepWithin.
func step[T any](ctx context.Context, request func() (T, error)) (T, error) {
	bounded, cancel := context.WithTimeout(ctx, amqpbus.LogStepWithin)
	defer cancel()
	value, err := await(bounded, request, nil)
	switch {
	case err == nil:
		return value, nil
	case bounded.Err() != nil && ctx.Err() == nil && code(err) < 0:
		return value, fmt.Errorf("%w within %s", amqpbus.ErrLogUnanswered, amqpbus.LogStepWithin)
	default:
		return value, logReason(err)
	}
}

// abandon ends a connection on which a log could not be opened: behind a balancer,
// the next one may lead to a node that serves it. Without an answer it is cut.
func (r *reading) abandon(conn *connection, err error) {
	if errors.Is(err, amqpbus.ErrLogGone) || errors.Is(err, amqpbus.ErrLogRefused) {
		_ = conn.end(r.bus.last) // its error says that it was cut
		return
	}
	_ = conn.socket.Close() // what was left behind ends with it
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
