// Package rabbit implements amqpbus with RabbitMQ. It is the only package that imports the
// AMQP library. A Bus has two connections and opens each again, with jitter, whenever it is
// lost. It does not reopen channels: publishers and consumers end with their connection, and
// their owner opens new ones.
//
// All exported methods may be called concurrently.
package rabbit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"belfry/pkg/amqpbus"
)

// Options configures a Bus.
type Options struct {
	URL        string // amqp:// or amqps://, with user and password; or a list, for the nodes of a cluster, which are tried in turn
	Name       string // the connections' name in the broker's lists
	Insecure   bool   // allow amqp:// to a host that is not loopback
	CAFile     string // PEM file of certificate authorities; empty: the system's
	CertFile   string // PEM file of the client certificate, with KeyFile
	KeyFile    string
	Heartbeat  time.Duration // default 2 s; a connection that died silently is noticed after three
	Logger     *zap.Logger
	Registerer prometheus.Registerer // may be nil
}

// bus implements amqpbus.Bus.
type bus struct {
	unread  amqpbus.Unread
	o       Options
	user    string
	log     *zap.Logger
	metrics *metrics
	publish *link
	consume *link
	reading *reading

	ctx    context.Context // ends when Close begins
	cancel context.CancelFunc
	last   context.Context // ends when Close must be over: connections that are still open are cut
	cut    context.CancelFunc

	mu        sync.Mutex
	blocked   string        // guarded by mu
	unblocked chan struct{} // guarded by mu; closed while not blocked
	changed   chan struct{} // guarded by mu; closed at the next change
	refusal   string        // guarded by mu; the last refusal of the broker
	refusedAt time.Time     // guarded by mu
}

// Open makes a Bus that connects in the background, and returns at once. An error means that an
// option is wrong. Health says whether the Bus is connected.
func Open(o Options) (amqpbus.Bus, error) {
	targets, err := parse(o)
	if err != nil {
		return nil, err
	}
	if o.Heartbeat == 0 {
		o.Heartbeat = 2 * time.Second
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	last, cut := context.WithCancel(context.Background())
	ctx, cancel := context.WithCancel(last)
	free := make(chan struct{})
	close(free)
	b := &bus{
		o: o, user: targets[0].User, log: o.Logger, metrics: newMetrics(o.Registerer),
		ctx: ctx, cancel: cancel, last: last, cut: cut, unblocked: free, changed: make(chan struct{}),
	}
	b.publish = newLink(b, "publish", targets)
	b.consume = newLink(b, "consume", targets)
	b.reading = newReading(b, targets)
	b.publish.onBlocked = b.setBlocked
	go b.publish.supervise()
	go b.consume.supervise()
	return b, nil
}

func (b *bus) User() string { return b.user }

func (b *bus) Health() amqpbus.Health {
	h := amqpbus.Health{Err: b.failure()}
	h.Connected = h.Err == nil
	b.mu.Lock()
	defer b.mu.Unlock()
	h.Blocked = b.blocked
	if time.Since(b.refusedAt) < refusalStands {
		h.Refused = b.refusal
	}
	return h
}

// failure returns why links are not connected, once if both have the same reason.
func (b *bus) failure() error {
	publish, consume := b.publish.failure(), b.consume.failure()
	if publish != nil && consume != nil && publish.Error() == consume.Error() {
		return publish
	}
	return errors.Join(publish, consume)
}

func (b *bus) Changed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changed
}

// change wakes everyone who waits on Changed.
func (b *bus) change() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.changed)
	b.changed = make(chan struct{})
}

// setBlocked records that the broker blocks the publishing link or, with an empty reason, that it
// does not any more.
func (b *bus) setBlocked(reason string) {
	b.mu.Lock()
	was := b.blocked
	b.blocked = reason
	switch {
	case was == "" && reason != "":
		b.unblocked = make(chan struct{})
	case was != "" && reason == "":
		close(b.unblocked)
	}
	b.mu.Unlock()
	if was == reason {
		return
	}
	b.metrics.setBlocked(reason != "")
	if reason != "" {
		b.log.Warn("broker blocks publishers: free its memory or disk", zap.String("alarm", reason))
	} else {
		b.log.Info("broker accepts publishes again")
	}
	b.change()
}

func (b *bus) isBlocked() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.blocked != ""
}

// waitUnblocked waits while the broker blocks publishers.
func (b *bus) waitUnblocked(ctx context.Context) error {
	for {
		b.mu.Lock()
		gate, blocked := b.unblocked, b.blocked != ""
		b.mu.Unlock()
		if !blocked {
			return nil
		}
		select {
		case <-gate:
		case <-ctx.Done():
			return fmt.Errorf("publish while the broker blocks publishers: %w", ctx.Err())
		case <-b.ctx.Done():
			return amqpbus.ErrClosed
		}
	}
}

func (b *bus) Close(ctx context.Context) error {
	b.cancel()
	defer b.cut()
	stop := context.AfterFunc(ctx, b.cut)
	defer stop()
	return errors.Join(b.reading.end(), b.publish.end(), b.consume.end())
}
