package connection

import (
	"sync"
	"time"
)

// pace charges users for the groups that their connections change, whatever the
// number of messages and connections. Who changes more than the rate allows waits,
// and nobody else does. It is safe for concurrent use.
type pace struct {
	rate  float64 // groups a second
	burst float64

	mu    sync.Mutex
	users map[string]*bucket
	sweep int // charges until those who owe nothing are forgotten
}

const sweepEvery = 1024

func newPace(rate float64, burst int) *pace {
	return &pace{rate: rate, burst: float64(burst), users: map[string]*bucket{}, sweep: sweepEvery}
}

// charge takes n groups from the user's allowance and returns how long their change
// must wait. Where that is longer than most, nothing is taken and ok is false.
func (p *pace) charge(user string, n int, most time.Duration) (wait time.Duration, ok bool) {
	if n == 0 {
		return 0, true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.forget(now)
	b := p.users[user]
	if b == nil {
		b = &bucket{}
		p.users[user] = b
	}
	b.drain(p.rate, now)
	wait = time.Duration((b.used + float64(n) - p.burst) / p.rate * float64(time.Second))
	if wait > most {
		return wait, false
	}
	b.used += float64(n)
	return max(wait, 0), true
}

// forget drops the users who owe nothing any more, now and then.
func (p *pace) forget(now time.Time) {
	if p.sweep--; p.sweep > 0 {
		return
	}
	p.sweep = sweepEvery
	for user, b := range p.users {
		if b.drain(p.rate, now); b.used == 0 {
			delete(p.users, user)
		}
	}
}
