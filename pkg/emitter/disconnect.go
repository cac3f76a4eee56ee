package emitter

import (
	"context"
	"fmt"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

// Disconnect closes a user's websocket connections on all gateways with close code 4403:
// those of one login session or, if session is empty, all of them. user is the user's id
// and session the session id (`sid`), as tokens carry them. Workers also discard the
// application's answers that they have cached for the user.
//
// Use it for a log-out, a revoked right or a session limit. A token that is still valid
// can open a new connection, so revoke it first or let it expire.
//
// Disconnect waits for the broker's confirm and returns the same errors as Emit, in order
// with the events. Options.Quiet does not suppress its errors.
func (e *Emitter) Disconnect(ctx context.Context, user, session string) error {
	order := protocol.Disconnect{User: user, SID: session}
	if err := order.Check(); err != nil {
		return fmt.Errorf("disconnect: %w: %w", ErrInvalid, err)
	}
	if err := e.order(ctx, "", order); err != nil {
		return fmt.Errorf("disconnect: %w", err)
	}
	return nil
}

// order sends an order that was checked. If id is empty, it makes a new message id.
func (e *Emitter) order(ctx context.Context, id string, order protocol.Disconnect) error {
	if len(id) > maxID {
		return fmt.Errorf("%w: its id is longer than %d bytes", ErrInvalid, maxID)
	}
	if id == "" {
		id = newID()
	}
	deadline := e.deadline()
	b := &batch{errs: make([]error, 1), done: make(chan struct{})}
	b.open.Store(1)
	b.events = []*pending{{
		msg: amqpbus.Message{
			Exchange: amqpbus.ExchangeDisconnect, ID: id, Persistent: true, Mandatory: true, Body: protocol.Encode(order),
		},
		deadline: deadline,
		report: func(err error) {
			b.errs[0] = err
			close(b.done)
		},
	}}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	b.enter(ctx, e)
	b.wait(ctx, e)
	return b.errs[0]
}
