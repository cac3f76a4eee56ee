package load

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Emitter publishes one payload and returns nil once it is confirmed.
type Emitter interface {
	Emit(ctx context.Context, group string, payload []byte) error
}

// Publishing is a number of publishers at work.
type Publishing struct {
	Ledger *Ledger

	cancel context.CancelFunc
	done   sync.WaitGroup

	mu     sync.Mutex
	failed map[string]int
}

// Publish starts publishers that emit to the groups in random order, each rate
// times a second. Each waits for a confirm before its next emit, so its order
// is its own.
func Publish(e Emitter, groups []string, publishers int, rate float64, seed uint64) *Publishing {
	ctx, cancel := context.WithCancel(context.Background())
	p := &Publishing{Ledger: &Ledger{}, cancel: cancel, failed: map[string]int{}}
	for i := range publishers {
		p.done.Go(func() { p.run(ctx, e, groups, i+1, rate, rand.New(rand.NewPCG(seed, uint64(i)))) })
	}
	return p
}

func (p *Publishing) run(ctx context.Context, e Emitter, groups []string, publisher int, rate float64, rng *rand.Rand) {
	tick := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer tick.Stop()
	counts := map[string]int{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		group := groups[rng.IntN(len(groups))]
		counts[group]++
		emit := Emit{Publisher: publisher, Group: group, N: counts[group], Start: time.Now()}
		place := p.Ledger.Started(emit)
		// Not ctx: an emit that was begun is finished, or its outcome would be unknown.
		finish, cancel := context.WithTimeout(context.Background(), 60*time.Second)
		err := e.Emit(finish, group, Payload(emit))
		cancel()
		if err != nil {
			p.failure(err)
			continue
		}
		p.Ledger.Confirmed(place)
	}
}

func (p *Publishing) failure(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed[err.Error()]++
}

// Stop ends the publishers, waits for their last confirms and returns the
// errors that they met, with their number.
func (p *Publishing) Stop() map[string]int {
	p.cancel()
	p.done.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}
