package emitter

import (
	"context"
	"fmt"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

// Disconnect ends the websocket connections of a user with close code 4403, on
// all gateways: those of one login session, or, where session is empty, all.
// user is the text of the id that tokens carry, session what their session claim
// (`sid`) says. Workers forget what they have cached of the application's word.
// It is for a log-out, a revoked right, a session limit; a token that is still
// good can open a new connection, so let it expire or revoke it first.
//
// It waits for the broker's confirm as Emit does, goes out in order with the
// events, and its errors are Emit's. Options.Quiet does not silence them.
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

// order sends a checked order; an empty id is a new one.
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
		settled: func(err error) {
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
