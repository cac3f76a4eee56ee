package amqpbus

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	firstBackoff = 200 * time.Millisecond
	mostBackoff  = 5 * time.Second
)

// Backoff is a pause before something that has ended is opened again. It varies by half, so
// that the processes of an installation do not all come back at once: 100 to 300 ms at first,
// and twice as long each time if the last one ended within 5 s, as it does while the broker
// refuses it. The zero value is ready to use. It is not safe for concurrent use.
type Backoff struct {
	Most time.Duration // longest mean pause; 0: 5 s

	last  time.Duration
	began time.Time
}

// Wait waits for the pause, or until ctx ends.
func (b *Backoff) Wait(ctx context.Context) {
	if time.Since(b.began) > mostBackoff {
		b.last = 0
	}
	most := b.Most
	if most == 0 {
		most = mostBackoff
	}
	b.last = min(max(2*b.last, firstBackoff), most)
	t := time.NewTimer(b.last/2 + rand.N(b.last)) // jitter, not a secret
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	b.began = time.Now()
}
