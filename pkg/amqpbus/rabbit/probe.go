package rabbit

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"belfry/pkg/amqpbus"
)

// Probe is one connection for an operator's look at a broker: it tells at once
// what a Bus would try again for ever, and changes nothing. Its methods are
// called by one goroutine.
type Probe struct {
	conn *amqp.Connection
	user string
}

// QueueState is what a broker tells of a queue.
type QueueState struct{ Messages, Consumers int }

// OpenProbe connects once, within ctx and 5 s.
func OpenProbe(ctx context.Context, o Options) (*Probe, error) {
	target, err := checkURL(o)
	if err != nil {
		return nil, err
	}
	tls, err := tlsConfig(o, target)
	if err != nil {
		return nil, err
	}
	within := dialTimeout
	if end, ok := ctx.Deadline(); ok {
		within = min(within, time.Until(end))
	}
	conn, err := amqp.DialConfig(target.String(), amqp.Config{
		Heartbeat: 10 * time.Second, TLSClientConfig: tls, Locale: "en_US", Dial: amqp.DefaultDial(within),
		Properties: amqp.Table{"connection_name": o.Name, "product": "Belfry"},
	})
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", redact(target), explain(err))
	}
	return &Probe{conn: conn, user: target.User.Username()}, nil
}

// Server is the broker's name and version, as it says.
func (p *Probe) Server() string {
	return fmt.Sprintf("%v %v", p.conn.Properties["product"], p.conn.Properties["version"])
}

// User is the broker user of the probe.
func (p *Probe) User() string { return p.user }

// Queue looks at a queue without touching it. A missing one is
// amqpbus.ErrNoQueue.
func (p *Probe) Queue(name string) (QueueState, error) {
	ch, err := p.conn.Channel()
	if err != nil {
		return QueueState{}, fmt.Errorf("open a channel: %w: %w", amqpbus.ErrLinkLost, err)
	}
	q, err := ch.QueueDeclarePassive(name, true, false, false, false, nil)
	if err != nil {
		return QueueState{}, fmt.Errorf("look at queue %s: %w", name, explainChannel(err))
	}
	return QueueState{Messages: q.Messages, Consumers: q.Consumers}, ch.Close()
}

// Publish publishes m, mandatory, and waits for the broker's word within ctx:
// nil, amqpbus.ErrRefused, amqpbus.ErrUnroutable, or why it was not allowed.
func (p *Probe) Publish(ctx context.Context, m amqpbus.Message) error {
	if err := checkMessage(m); err != nil {
		return err
	}
	ch, err := p.conn.Channel()
	if err != nil {
		return fmt.Errorf("open a channel: %w: %w", amqpbus.ErrLinkLost, err)
	}
	if err := ch.Confirm(false); err != nil {
		return fmt.Errorf("ask for confirms: %w", explainChannel(err))
	}
	returned, closed := ch.NotifyReturn(make(chan amqp.Return, 1)), ch.NotifyClose(make(chan *amqp.Error, 1))
	properties := amqp.Publishing{Type: m.Type, MessageId: m.ID, UserId: p.user, Body: m.Body, DeliveryMode: amqp.Transient}
	if m.Expiration > 0 {
		properties.Expiration = fmt.Sprint(m.Expiration.Milliseconds())
	}
	confirm, err := ch.PublishWithDeferredConfirmWithContext(ctx, m.Exchange, m.Key, true, false, properties)
	if err != nil {
		return fmt.Errorf("publish: %w: %w", amqpbus.ErrLinkLost, err)
	}
	select {
	case <-confirm.Done():
	case <-ctx.Done():
		return fmt.Errorf("wait for the broker's confirm: %w", ctx.Err())
	}
	if !confirm.Acked() {
		select {
		case err := <-closed:
			if err == nil {
				return amqpbus.ErrLinkLost
			}
			return explainChannel(err)
		default:
			return errors.Join(amqpbus.ErrRefused, ch.Close())
		}
	}
	// The return comes before its confirm (see settle).
	select {
	case <-returned:
		return errors.Join(amqpbus.ErrUnroutable, ch.Close())
	default:
		return ch.Close()
	}
}

// Close ends the connection.
func (p *Probe) Close() error { return p.conn.CloseDeadline(time.Now().Add(closeTimeout)) }
