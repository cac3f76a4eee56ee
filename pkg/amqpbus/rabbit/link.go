package rabbit

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/zap"

	"belfry/pkg/amqpbus"
)

const (
	firstPause   = 100 * time.Millisecond // back-off bounds between dials
	lastPause    = 5 * time.Second
	dialTimeout  = 5 * time.Second
	closeTimeout = 3 * time.Second
)

// link is one connection to the broker, made again whenever it is lost.
type link struct {
	bus       *bus
	name      string
	target    *url.URL
	tls       *tls.Config // nil: without TLS
	config    func() amqp.Config
	onBlocked func(reason string) // may be nil
	ended     chan struct{}       // closed when supervise returned

	mu   sync.Mutex
	conn *amqp.Connection // guarded by mu; nil while not connected
	err  error            // guarded by mu; why conn is nil
}

func newLink(b *bus, name string, target *url.URL, secure *tls.Config, config func() amqp.Config) *link {
	return &link{
		bus: b, name: name, target: target, tls: secure, config: config, ended: make(chan struct{}),
		err: errors.New("not connected yet"),
	}
}

// supervise dials until the bus is closed.
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
			l.set(nil, err)
			l.closeConnection(conn)
		} else {
			l.set(nil, err)
		}
		if l.bus.ctx.Err() != nil {
			return
		}
		l.bus.log.Warn("not connected to the broker, trying again", zap.String("link", l.name), zap.Error(err))
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
				reason := ""
				if b.Active {
					reason = b.Reason
					if reason == "" {
						reason = "the broker has an alarm"
					}
				}
				l.onBlocked(reason)
			}
		case err := <-lost:
			if err == nil {
				return amqpbus.ErrLinkLost
			}
			return fmt.Errorf("%w: %d %s", amqpbus.ErrLinkLost, err.Code, err.Reason)
		case <-l.bus.ctx.Done():
			return amqpbus.ErrClosed
		}
	}
}

func (l *link) dial() (*amqp.Connection, error) {
	c := l.config()
	c.Properties["connection_name"] = l.bus.o.Name + " " + l.name
	var g *guard
	c.Dial = func(_, address string) (net.Conn, error) {
		conn, err := l.dialSocket(address)
		if err != nil {
			return nil, err
		}
		g = &guard{Conn: conn}
		return g, nil
	}
	conn, err := amqp.DialConfig(withoutTLS(l.target).String(), c)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", redact(l.target), explain(err))
	}
	g.frameMax.Store(int64(conn.Config.FrameSize)) // before anything is consumed
	// The library's own deadline for heartbeats begins with the next frame: a
	// broker that fell silent before that would be believed for ever.
	if heartbeat := conn.Config.Heartbeat; heartbeat > 0 {
		_ = g.SetReadDeadline(time.Now().Add(2 * heartbeat)) // it fails when the connection has ended
	}
	return conn, nil
}

// explain adds what to do to the errors that an operator can mend.
func explain(err error) error {
	var refused *amqp.Error
	switch {
	case errors.As(err, &refused) && refused.Code == amqp.AccessRefused:
		return errors.New("the broker refused user or password: check BELFRY_AMQP_URL and the broker's users")
	case errors.As(err, &refused) && refused.Code == amqp.NotAllowed:
		return fmt.Errorf("the broker does not let this user into the virtual host: %s; check the path of BELFRY_AMQP_URL, or give permissions (rabbitmqctl set_permissions -p VHOST USER ..., docs/operations.md)", refused.Reason)
	default:
		return err
	}
}

// set notes the connection, or why there is none.
func (l *link) set(conn *amqp.Connection, err error) {
	l.mu.Lock()
	l.conn, l.err = conn, err
	l.mu.Unlock()
	l.bus.metrics.setConnected(l.name, conn != nil)
	if conn == nil && l.onBlocked != nil {
		l.onBlocked("") // the next connection begins unblocked
	}
	l.bus.change()
}

// failure is nil while connected.
func (l *link) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// get waits for the connection.
func (l *link) get(ctx context.Context) (*amqp.Connection, error) {
	for {
		changed := l.bus.Changed() // before the look, so that no change is missed
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

// channel opens a channel; an error that is the connection's is ErrLinkLost.
func (l *link) channel(ctx context.Context) (*amqp.Channel, error) {
	conn, err := l.get(ctx)
	if err != nil {
		return nil, err
	}
	ch, err := conn.Channel()
	if err != nil {
		return nil, fmt.Errorf("open a channel: %w: %w", amqpbus.ErrLinkLost, err)
	}
	return ch, nil
}

func (l *link) closeConnection(conn *amqp.Connection) {
	if !conn.IsClosed() {
		_ = conn.CloseDeadline(time.Now().Add(closeTimeout)) // it ends either way
	}
}

// end waits for supervise, which closes the connection.
func (l *link) end(ctx context.Context) error {
	select {
	case <-l.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close the broker's %s link: %w", l.name, ctx.Err())
	}
}
