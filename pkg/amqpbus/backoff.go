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

// Backoff is the pause before its owner opens something again that has ended.
// It is half as long or half as long again by chance, so that the processes of an
// installation do not come back in step: 100 to 300 ms at first, and twice as
// much whenever what was opened ended within 5 s, as it does while the broker
// refuses it. The zero value is ready. One goroutine uses it.
type Backoff struct {
	Most time.Duration // bound of the mean; 0: 5 s

	last  time.Duration
	began time.Time
}

// Wait waits, at most until ctx ends.
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
