package rabbit

import (
	"context"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/address"
)

// Probe is one connection with which a command looks at a broker. It reports at once the errors
// after which a Bus would try again, and changes nothing. It is not safe for concurrent use.
type Probe struct {
	conn     *connection
	address  address.Address
	blocking chan amqp.Blocking
	blocked  string // the broker's reason if it blocks this connection
}

// QueueState is what the broker reports about a queue.
type QueueState struct{ Messages, Consumers int }

// OpenProbe connects to the first of the addresses that answers, each within 5 s, until ctx ends.
func OpenProbe(ctx context.Context, o Options) (*Probe, error) {
	targets, err := parse(o)
	if err != nil {
		return nil, err
	}
	c := connector{o: o, targets: targets, name: o.Name, heartbeat: 10 * time.Second, blocked: func() bool { return false }}
	conn, node, err := c.any(ctx, 0)
	if err != nil {
		return nil, err
	}
	p := &Probe{conn: conn, address: targets[node], blocking: make(chan amqp.Blocking, 8)}
	p.conn.NotifyBlocked(p.blocking)
	return p, nil
}

// Server returns the broker's product name and version.
func (p *Probe) Server() string {
	return fmt.Sprintf("%v %v", p.conn.Properties["product"], p.conn.Properties["version"])
}

// Blocked returns why the broker blocks this probe's connection, such as "low on memory"; empty if
// it did not when the probe last published.
func (p *Probe) Blocked() string { return p.blocked }

// User returns the probe's broker user.
func (p *Probe) User() string { return p.address.User }

// Address returns the address to which the probe is connected, without the password.
func (p *Probe) Address() string { return p.address.String() }

// Queue returns the state of a queue, without changing it. If it does not exist, the error wraps
// amqpbus.ErrNoQueue. While the broker blocks publishers, a probe that has published gets no
// answer.
func (p *Probe) Queue(ctx context.Context, name string) (QueueState, error) {
	ch, err := p.channel(ctx)
	if err != nil {
		return QueueState{}, err
	}
	defer closeChannel(ch)
	q, err := await(ctx, func() (amqp.Queue, error) {
		return ch.QueueDeclarePassive(name, true, false, false, false, nil)
	}, nil)
	if err != nil {
		return QueueState{}, fmt.Errorf("look at queue %s: %w", name, reason(err))
	}
	return QueueState{Messages: q.Messages, Consumers: q.Consumers}, nil
}

func (p *Probe) channel(ctx context.Context) (*amqp.Channel, error) {
	if p.blocked != "" {
		return nil, p.blockedError()
	}
	ch, err := await(ctx, p.conn.Channel, closeChannel)
	if err != nil {
		return nil, fmt.Errorf("open a channel: %w", becauseOf(err))
	}
	return ch, nil
}

func (p *Probe) blockedError() error { return fmt.Errorf("%w: %s", amqpbus.ErrBlocked, p.blocked) }

// Publish publishes m as mandatory and waits for the outcome until ctx ends: nil,
// amqpbus.ErrRefused, amqpbus.ErrUnroutable, amqpbus.ErrBlocked (also if the broker has still
// accepted this message), or why m was not allowed.
func (p *Probe) Publish(ctx context.Context, m amqpbus.Message) error {
	if err := checkMessage(m); err != nil {
		return err
	}
	ch, err := p.channel(ctx)
	if err != nil {
		return err
	}
	verdict := p.publish(ctx, ch, m)
	// The broker accepts the first message after an alarm has begun, and reports the alarm
	// about when it confirms the message. Closing the channel makes it answer once more.
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		closeChannel(ch)
	}()
	if p.blocked != "" {
		return verdict
	}
	if err := p.wait(ctx, closed); err != nil {
		return err
	}
	return verdict
}

func (p *Probe) publish(ctx context.Context, ch *amqp.Channel, m amqpbus.Message) error {
	if _, err := await(ctx, func() (struct{}, error) { return struct{}{}, ch.Confirm(false) }, nil); err != nil {
		return fmt.Errorf("ask for confirms: %w", reason(err))
	}
	returned, closed := ch.NotifyReturn(make(chan amqp.Return, 1)), ch.NotifyClose(make(chan *amqp.Error, 1))
	properties := amqp.Publishing{Type: m.Type, MessageId: m.ID, UserId: p.address.User, Body: m.Body, DeliveryMode: amqp.Transient}
	if m.Expiration > 0 {
		properties.Expiration = fmt.Sprint(m.Expiration.Milliseconds())
	}
	confirm, err := ch.PublishWithDeferredConfirmWithContext(ctx, m.Exchange, m.Key, true, false, properties)
	if err != nil {
		return fmt.Errorf("publish: %w: %w", amqpbus.ErrLinkLost, err)
	}
	if err := p.wait(ctx, confirm.Done()); err != nil {
		return err
	}
	if !confirm.Acked() {
		select {
		case err := <-closed:
			if err == nil {
				return amqpbus.ErrLinkLost
			}
			return reason(err)
		default:
			return amqpbus.ErrRefused
		}
	}
	// The return comes before its confirm (see publisher.reportOutcomes).
	select {
	case <-returned:
		return amqpbus.ErrUnroutable
	default:
		return nil
	}
}

// wait waits for an answer, or until the broker blocks the connection.
func (p *Probe) wait(ctx context.Context, answer <-chan struct{}) error {
	for {
		select {
		case <-answer:
			return nil
		case b, open := <-p.blocking:
			if open && b.Active {
				p.blocked = blockedReason(b)
				return p.blockedError()
			}
			if !open {
				p.blocking = nil // the connection has ended, so that every wait for an answer ends
			}
		case <-ctx.Done():
			return fmt.Errorf("wait for the broker's answer: %w", ctx.Err())
		}
	}
}

// Close closes the connection within closeTimeout, or at once if the broker blocks it.
func (p *Probe) Close() error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if p.blocked != "" {
		cancel()
		_ = p.conn.end(ctx) // errCut is expected
		return nil
	}
	return p.conn.end(ctx)
}
