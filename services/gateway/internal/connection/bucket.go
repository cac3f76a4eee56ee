package connection

import "time"

// bucket is a token bucket that starts full. It is owned by one goroutine.
type bucket struct {
	used float64
	last time.Duration // since began; 0: not used yet
}

// began is what times are kept as durations since: in 8 bytes, and by the monotonic
// clock.
var began = time.Now()

// take uses one token of a bucket of the given size, refilled at rate a second.
// It reports false when there is none.
func (b *bucket) take(rate float64, size int) bool {
	b.drain(rate, time.Now())
	if b.used+1 > float64(size) {
		return false
	}
	b.used++
	return true
}

// drain lets time pass for the bucket.
func (b *bucket) drain(rate float64, now time.Time) {
	at := now.Sub(began)
	if b.last != 0 {
		b.used = max(0, b.used-rate*(at-b.last).Seconds())
	}
	b.last = at
}
