package rabbit

import (
	"context"
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"belfry/pkg/amqpbus"
)

// logChannel is one channel that consumes a log, alone on its connection.
type logChannel struct {
	reading   *reading
	conn      *connection
	node      int
	ch        *amqp.Channel
	in        <-chan amqp.Delivery
	lost      <-chan *amqp.Error
	cancelled <-chan string
}

// consume opens one at a node, each step within LogStepWithin.
func (r *reading) consume(ctx context.Context, o amqpbus.LogReaderOptions, node, prefetch int) (*logChannel, error) {
	conn, err := r.connect(ctx, node)
	if err != nil {
		return nil, err
	}
	ch, err := step(ctx, conn.Channel)
	if err != nil {
		r.abandon(conn, err)
		return nil, err
	}
	c := &logChannel{reading: r, conn: conn, node: node, ch: ch}
	c.lost = ch.NotifyClose(make(chan *amqp.Error, 1))
	c.cancelled = ch.NotifyCancel(make(chan string, 1))
	c.in, err = step(ctx, func() (<-chan amqp.Delivery, error) {
		if err := ch.Qos(prefetch, 0, false); err != nil {
			return nil, err
		}
		return ch.Consume(o.Log, "belfry", false, false, false, false, amqp.Table{"x-stream-offset": place(o.At)})
	})
	if err != nil {
		r.abandon(conn, err)
		return nil, err
	}
	return c, nil
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

// verdict is why the deliveries have ended.
func (c *logChannel) verdict() error {
	cancelled, e := whatEnded(c.cancelled, c.lost)
	switch {
	case cancelled:
		return fmt.Errorf("%w: it was deleted while it was read", amqpbus.ErrLogGone)
	case e != nil:
		return logReason(e)
	default:
		return amqpbus.ErrLinkLost
	}
}

// close closes the channel, or cuts the connection when the broker does not agree in
// time.
func (c *logChannel) close() {
	c.conn.socket.gate.open()
	if c.ch.IsClosed() {
		return
	}
	closed := patiently(c.reading.bus.last.Done(), func() { _ = c.ch.Close() }) // it ends either way
	select {
	case <-closed:
	default:
		_ = c.conn.socket.Close()
		<-closed
	}
}

// leave ends the channel, and gives the connection to the next reader when this one
// brought something a moment before.
func (c *logChannel) leave(lived bool) {
	c.close()
	c.reading.giveBack(c.conn, c.node, lived)
}
