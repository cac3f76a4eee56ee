// Package presence says every two seconds to all that this worker is alive, and at its
// end that it goes.
package presence

import (
	"context"
	"errors"
	"fmt"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/trust"
	"belfry/pkg/protocol"
)

const every = 2 * time.Second

// Presence speaks for one worker.
type Presence struct {
	Bus      amqpbus.Bus
	Worker   protocol.WorkerID
	Gateways *trust.Users // whose messages are taken as a gateway's
}

// Once speaks through one publisher until that ends, or ctx does: then it says that the
// worker goes.
func (p *Presence) Once(ctx context.Context) error {
	pub, err := p.Bus.OpenPublisher(ctx, 16)
	if err != nil {
		return fmt.Errorf("open the publisher: %w", err)
	}
	defer func() { _ = pub.Close() }()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		alive := protocol.Presence{
			Worker: p.Worker, Gateways: p.Gateways.Names(), Strangers: p.Gateways.Strangers(),
		}
		if err := pub.Publish(ctx, p.message(alive), nil); err != nil && ctx.Err() == nil {
			return fmt.Errorf("publish the presence: %w", err)
		}
		select {
		case <-ticker.C:
		case <-pub.Done():
			return amqpbus.ErrLinkLost
		case <-ctx.Done():
			return p.bye(context.WithoutCancel(ctx), pub)
		}
	}
}

// bye tells the others at once; when the broker does not take it in time, they notice by
// the silence.
func (p *Presence) bye(ctx context.Context, pub amqpbus.Publisher) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	done := make(chan error, 1)
	bye := p.message(protocol.Presence{Worker: p.Worker, Bye: true})
	if err := pub.Publish(ctx, bye, func(err error) { done <- err }); err != nil {
		return errors.Join(err, context.Canceled)
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
	return nil
}

func (p *Presence) message(m protocol.Presence) amqpbus.Message {
	return amqpbus.Message{
		Exchange: amqpbus.ExchangeReplyAll, Type: protocol.TypePresence, ReplyTo: string(p.Worker), Body: protocol.Encode(m),
	}
}
