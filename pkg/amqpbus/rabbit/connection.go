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

// closeTimeout is how long the broker may take to answer the close of a connection, and
// closeChannelTimeout that of a channel. After that it is not waited for.
const (
	closeTimeout        = 3 * time.Second
	closeChannelTimeout = 2 * time.Second
)

// errCut says that the broker did not answer the close of a connection in time.
var errCut = errors.New("the broker did not answer: the connection was cut")

// connection is a connection of the library and its socket. Closing the socket ends everything
// that the library waits for, so that end is bounded.
type connection struct {
	*amqp.Connection
	socket *guard
}

// connector makes connections to the nodes of one broker.
type connector struct {
	o         Options
	targets   []address.Address
	name      string // the connection's name in the broker's lists
	heartbeat time.Duration
	blocked   func() bool // reports whether the broker blocks the connection; then writes have no time limit
}

// any tries the nodes in turn, beginning with the node first, and returns the connection and
// its node.
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
		stop = context.AfterFunc(ctx, func() { _ = conn.Close() }) // the library takes no context
		return g, nil
	}
	conn, err := amqp.DialConfig(withoutTLS(target).Reveal(), config)
	inTime := stop()
	switch {
	case err == nil && inTime:
		g.frameMax.Store(int64(conn.Config.FrameSize)) // before anything is consumed
		// The library sets its deadline for heartbeats after the next frame. If the broker
		// goes silent before that, this deadline ends the connection.
		if heartbeat := conn.Config.Heartbeat; heartbeat > 0 {
			_ = g.SetReadDeadline(time.Now().Add(2 * heartbeat)) // fails only if the connection has ended
		}
		return &connection{Connection: conn, socket: g}, nil
	case ctx.Err() != nil:
		err = fmt.Errorf("no answer in time: %w", ctx.Err())
	}
	if g != nil {
		_ = g.Close()
	}
	return nil, fmt.Errorf("connect to %s: %w", target, explain(err))
}

// end closes the connection with a close handshake. If ctx ends or closeTimeout is over first,
// it closes the socket and returns errCut.
func (c *connection) end(ctx context.Context) error {
	if c.IsClosed() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_ = c.Close() // an error means that it has ended already
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

// await calls request, which blocks in the library, and waits for it until ctx ends. The
// library itself waits as long as the connection lives, which during an alarm may be long
// without an answer. A request that was abandoned ends with its connection. If it succeeds
// after ctx has ended, its value is passed to late, which may be nil.
func await[T any](ctx context.Context, request func() (T, error), late func(T)) (T, error) {
	type result struct {
		value T
		err   error
	}
	answered := make(chan result) // not buffered, so that a send succeeds only while await waits
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

// closeChannel closes a channel. It waits for closeChannelTimeout at most; after that the close
// goes on in the background, and the channel ends with its connection at the latest.
func closeChannel(ch *amqp.Channel) {
	patiently(nil, func() {
		if !ch.IsClosed() {
			_ = ch.Close() // on error the channel has ended, too
		}
	})
}

// patiently runs end in a goroutine and waits for it, but not beyond closeChannelTimeout or
// hurry. The channel is closed when end has returned, which may be later.
func patiently(hurry <-chan struct{}, end func()) <-chan struct{} {
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
	case <-hurry:
	}
	return ended
}
