package membus

import (
	"slices"
	"sync"
	"time"

	"belfry/pkg/amqpbus"
)

// Broker is a Core with links: what processes open their buses on.
type Broker struct {
	core *Core

	mu      sync.Mutex // taken before Bus.mu and Core.mu
	buses   []*Bus
	down    bool
	blocked string
	hook    func(user string, m amqpbus.Message) Fate
	rehook  chan struct{} // closed when the hook changes
	logHook func(user string, o amqpbus.LogReaderOptions) LogFate

	alarm alarm
}

// New returns an empty broker on the wall clock (or testing/synctest's).
func New() *Broker {
	b := &Broker{core: NewCore(time.Now), rehook: make(chan struct{})}
	b.core.arm = func(at time.Time) { b.alarm.set(at, b.advance) }
	return b
}

// Core is the broker under the links, to look into.
func (b *Broker) Core() *Core { return b.core }

// Open gives a process that publishes as user its access to the broker.
func (b *Broker) Open(user string) amqpbus.Bus {
	b.mu.Lock()
	defer b.mu.Unlock()
	bus := &Bus{
		broker: b, user: user, changed: make(chan struct{}), ended: make(chan struct{}),
		connected: !b.down, blocked: b.blocked,
		consumers: map[*consumer]struct{}{}, publishers: map[*publisher]struct{}{},
		readers: map[*logReader]struct{}{},
	}
	b.buses = append(b.buses, bus)
	return bus
}

// advance lets time take effect, and sets the alarm for the next time.
func (b *Broker) advance() {
	if next := b.core.Advance(); !next.IsZero() {
		b.alarm.set(next, b.advance)
	}
}

func (b *Broker) forget(bus *Bus) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buses = slices.DeleteFunc(b.buses, func(o *Bus) bool { return o == bus })
}

// alarm is one timer, set to the earliest of the times asked for.
type alarm struct {
	mu    sync.Mutex
	timer *time.Timer
	at    time.Time // zero: not set
}

func (a *alarm) set(at time.Time, ring func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.at.IsZero() && !at.Before(a.at) {
		return
	}
	if a.timer != nil {
		a.timer.Stop()
	}
	a.at = at
	a.timer = time.AfterFunc(time.Until(at), func() {
		a.mu.Lock()
		if a.at.Equal(at) {
			a.at = time.Time{}
		}
		a.mu.Unlock()
		ring()
	})
}
