package rabbit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/zap"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/address"
)

const (
	firstPause  = 100 * time.Millisecond // bounds of the pause between dials
	lastPause   = 5 * time.Second
	dialTimeout = 5 * time.Second
)

// link is one connection to the broker, which is opened again whenever it is lost.
type link struct {
	bus       *bus
	name      string
	connector connector
	next      int                 // the node to try first; owned by supervise
	onBlocked func(reason string) // may be nil
	ended     chan struct{}       // closed when supervise returned

	mu     sync.Mutex
	conn   *connection // guarded by mu; nil while not connected
	err    error       // guarded by mu; why conn is nil
	ending error       // the error of closing the last connection; may be read once ended is closed
}

func newLink(b *bus, name string, targets []address.Address) *link {
	return &link{
		bus: b, name: name, ended: make(chan struct{}), err: errors.New("not connected yet"),
		connector: connector{o: b.o, targets: targets, name: b.o.Name + " " + name, heartbeat: b.o.Heartbeat, blocked: b.isBlocked},
	}
}

// supervise keeps the link connected until the bus is closed.
func (l *link) supervise() {
	defer close(l.ended)
	pause := firstPause
	for l.bus.ctx.Err() == nil {
		conn, err := l.dial()
		if err == nil {
			pause = firstPause
			lost := conn.NotifyClose(make(chan *amqp.Error, 1))
			blocked := conn.NotifyBlocked(make(chan amqp.Blocking, 8))
			l.set(conn, nil)
			err = l.watch(lost, blocked)
			// During an alarm the broker does not read a request to close.
			stopped := l.onBlocked != nil && l.bus.isBlocked()
			l.set(nil, err)
			l.ending = l.closeConnection(conn, stopped)
		} else {
			l.set(nil, err)
		}
		if l.bus.ctx.Err() != nil {
			return
		}
		l.bus.log.Warn("broker connection lost or refused, reconnecting", zap.String("link", l.name), zap.Error(err))
		l.bus.metrics.reconnect(l.name)
		t := time.NewTimer(firstPause/2 + rand.N(pause))
		select {
		case <-t.C:
		case <-l.bus.ctx.Done():
			t.Stop()
			return
		}
		pause = min(pause*2, lastPause)
	}
}

// watch returns why the connection ended.
func (l *link) watch(lost <-chan *amqp.Error, blocked <-chan amqp.Blocking) error {
	for {
		select {
		case b, ok := <-blocked:
			if !ok {
				blocked = nil
				continue
			}
			if l.onBlocked != nil {
				l.onBlocked(blockedReason(b))
			}
		case err := <-lost:
			if err == nil {
				return amqpbus.ErrLinkLost
			}
			return becauseOf(err)
		case <-l.bus.ctx.Done():
			return amqpbus.ErrClosed
		}
	}
}

// blockedReason returns the broker's reason, such as "low on memory", or "" if it does not block.
func blockedReason(b amqp.Blocking) string {
	if b.Active && b.Reason == "" {
		return "the broker has an alarm"
	}
	return b.Reason
}

// dial connects to a node. When that connection is lost, the next node is tried first.
func (l *link) dial() (*connection, error) {
	conn, node, err := l.connector.any(l.bus.ctx, l.next)
	if err != nil {
		return nil, err
	}
	if n := len(l.connector.targets); n > 1 {
		l.next = (node + 1) % n
		l.bus.log.Info("connected to a node of the broker", zap.String("link", l.name), zap.Stringer("address", l.connector.targets[node]))
	}
	return conn, nil
}

// set records the connection, or why there is none.
func (l *link) set(conn *connection, err error) {
	l.mu.Lock()
	l.conn, l.err = conn, err
	l.mu.Unlock()
	l.bus.metrics.setConnected(l.name, conn != nil)
	if conn == nil && l.onBlocked != nil {
		l.onBlocked("") // the next connection begins unblocked
	}
	l.bus.change()
}

// failure returns why the link is not connected; nil if it is.
func (l *link) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// get waits for the connection.
func (l *link) get(ctx context.Context) (*connection, error) {
	for {
		changed := l.bus.Changed() // before reading the state, so that no change is missed
		l.mu.Lock()
		conn, err := l.conn, l.err
		l.mu.Unlock()
		if conn != nil && !conn.IsClosed() {
			return conn, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the broker: %w (%w)", ctx.Err(), err)
		case <-l.bus.ctx.Done():
			return nil, amqpbus.ErrClosed
		}
	}
}

// channel opens a channel, waiting for the connection until ctx ends. If the connection is lost
// meanwhile, the error wraps ErrLinkLost.
func (l *link) channel(ctx context.Context) (*amqp.Channel, error) {
	conn, err := l.get(ctx)
	if err != nil {
		return nil, err
	}
	ch, err := await(ctx, conn.Channel, closeChannel)
	if err != nil {
		return nil, l.bus.noted(fmt.Errorf("open a channel: %w", becauseOf(err)))
	}
	return ch, nil
}

// closeConnection closes a connection, at once and without a handshake if the broker blocks it.
func (l *link) closeConnection(conn *connection, blocked bool) error {
	ctx := l.bus.last
	if blocked {
		ended, cancel := context.WithCancel(ctx)
		cancel()
		_ = conn.end(ended) // errCut is expected
		return nil
	}
	return conn.end(ctx)
}

// end waits until supervise has closed the connection, or has cut it because bus.last has ended.
func (l *link) end() error {
	<-l.ended
	if l.ending != nil {
		return fmt.Errorf("close the %s link: %w", l.name, l.ending)
	}
	return nil
}
