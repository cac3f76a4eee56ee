package rabbit

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"belfry/pkg/amqpbus/address"
)

// closeTimeout bounds how long the broker may take to agree to the end of a
// connection, closeChannelTimeout of a channel. Then the end is ours alone.
const (
	closeTimeout        = 3 * time.Second
	closeChannelTimeout = 2 * time.Second
)

// errCut: the broker did not agree to the end of a connection in time.
var errCut = errors.New("the broker did not answer: the connection was cut")

// connection is the library's, whose end is bounded: everything that the library
// waits for ends with the socket.
type connection struct {
	*amqp.Connection
	socket *guard
}

// connector makes connections to the nodes of one broker.
type connector struct {
	o         Options
	targets   []address.Address
	name      string // in the broker's lists
	heartbeat time.Duration
	blocked   func() bool // whether the broker blocks the connection: then a write may take for ever
}

// any tries the nodes in turn, beginning with one of them, and says which it is
// connected to.
func (c connector) any(ctx context.Context, first int) (conn *connection, node int, err error) {
	for i := range c.targets {
		node := (first + i) % len(c.targets)
		conn, failure := c.connect(ctx, c.targets[node])
		switch {
		case failure == nil:
			return conn, node, nil
		case err == nil:
			err = failure
		default:
			err = fmt.Errorf("%w; %w", err, failure)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, first, err
}

// connect makes one connection, within ctx and dialTimeout.
func (c connector) connect(ctx context.Context, target address.Address) (*connection, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	secure, err := tlsConfig(c.o, target)
	if err != nil {
		return nil, err
	}
	config := amqp.Config{
		Heartbeat: c.heartbeat, Locale: "en_US",
		Properties: amqp.Table{"connection_name": c.name, "product": "Belfry"},
	}
	var g *guard
	stop := func() bool { return true }
	config.Dial = func(_, address string) (net.Conn, error) {
		conn, err := dialSocket(ctx, address, secure, c.blocked)
		if err != nil {
			return nil, err
		}
		g = &guard{Conn: conn}
		stop = context.AfterFunc(ctx, func() { _ = conn.Close() }) // the library knows no context
		return g, nil
	}
	conn, err := amqp.DialConfig(withoutTLS(target).Reveal(), config)
	inTime := stop()
	switch {
	case err == nil && inTime:
		g.frameMax.Store(int64(conn.Config.FrameSize)) // before anything is consumed
		// The library's own deadline for heartbeats begins with the next frame: a
		// broker that fell silent before that would be believed for ever.
		if heartbeat := conn.Config.Heartbeat; heartbeat > 0 {
			_ = g.SetReadDeadline(time.Now().Add(2 * heartbeat)) // it fails when the connection has ended
		}
		return &connection{Connection: conn, socket: g}, nil
	case ctx.Err() != nil:
		err = fmt.Errorf("no answer in time: %w", ctx.Err())
	}
	if g != nil {
		_ = g.Close() // it has ended, or must
	}
	return nil, fmt.Errorf("connect to %s: %w", target, explain(err))
}

// end closes the connection in order, or cuts it when the broker has not agreed
// until ctx ends or closeTimeout is over.
func (c *connection) end(ctx context.Context) error {
	if c.IsClosed() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_ = c.Close() // its errors say that it has ended
	}()
	select {
	case <-closed:
		return nil
	case <-ctx.Done():
	}
	_ = c.socket.Close()
	<-closed
	return errCut
}

// await makes a request of the library and waits for it until ctx ends. The
// library waits for as long as the connection lives, and one that an alarm
// blocks lives without an answer. A request that was left behind ends with its
// connection; what comes of it then is given to late, which may be nil.
func await[T any](ctx context.Context, request func() (T, error), late func(T)) (T, error) {
	type result struct {
		value T
		err   error
	}
	answered := make(chan result) // not buffered: who does not wait does not get it
	go func() {
		value, err := request()
		select {
		case answered <- result{value, err}:
		case <-ctx.Done():
			if err == nil && late != nil {
				late(value)
			}
		}
	}()
	select {
	case r := <-answered:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, fmt.Errorf("wait for the broker's answer: %w", ctx.Err())
	}
}

// closeChannel closes a channel in order. What takes longer than
// closeChannelTimeout goes on by itself: the channel ends with its connection.
func closeChannel(ch *amqp.Channel) {
	patiently(func() {
		if !ch.IsClosed() {
			_ = ch.Close() // it ends either way
		}
	})
}

// patiently waits for an end no longer than closeChannelTimeout.
func patiently(end func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		end()
	}()
	late := time.NewTimer(closeChannelTimeout)
	defer late.Stop()
	select {
	case <-ended:
	case <-late.C:
	}
}
