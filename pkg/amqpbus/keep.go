package amqpbus

import (
	"context"
	"errors"
	"time"
)

// Keep keeps something open: once opens it and returns when it has ended. It is called
// again after a pause (see Backoff; most bounds its mean, 0: 5 s) until ctx ends or
// once returns ErrClosed. lost is told of each other end, before the pause.
func Keep(ctx context.Context, most time.Duration, once func(context.Context) error, lost func(error)) {
	again := Backoff{Most: most}
	for ctx.Err() == nil {
		err := once(ctx)
		if ctx.Err() != nil || errors.Is(err, ErrClosed) {
			return
		}
		lost(err)
		again.Wait(ctx)
	}
}
