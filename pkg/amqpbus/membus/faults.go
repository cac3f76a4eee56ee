package membus

import "belfry/pkg/amqpbus"

// Fate is what a test wants to happen to a publish.
type Fate int

// The fates. After FateLoseConfirm and FateDrop no later confirm of that
// publisher is told either, because confirms are told in order: all of them
// become ErrLinkLost when the link is cut.
const (
	FatePass        Fate = iota
	FateRefuse           // not stored, ErrRefused
	FateLoseConfirm      // stored, never confirmed
	FateDrop             // neither stored nor confirmed
	FateHold             // waits, and what follows it, until the hook changes
)

// SetPublishHook asks hook about each publish of every bus, before it is
// stored; nil lets all pass. What is held is asked about again. hook is called
// from the publishers' goroutines and must not call the broker.
func (b *Broker) SetPublishHook(hook func(user string, m amqpbus.Message) Fate) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hook = hook
	close(b.rehook)
	b.rehook = make(chan struct{})
}

// fate asks the hook until it is not FateHold; ok is false when ended closed
// while it was held.
func (b *Broker) fate(user string, m amqpbus.Message, ended <-chan struct{}) (fate Fate, ok bool) {
	for {
		b.mu.Lock()
		hook, changed := b.hook, b.rehook
		b.mu.Unlock()
		if hook == nil {
			return FatePass, true
		}
		if fate = hook(user, m); fate != FateHold {
			return fate, true
		}
		select {
		case <-changed:
		case <-ended:
			return FateHold, false
		}
	}
}

// CutLinks ends all links of every bus of a user ("" means everybody): open
// consumers, publishers and log readers end with ErrLinkLost. The buses are
// connected again at once.
func (b *Broker) CutLinks(user string) {
	for _, bus := range b.of(user) {
		bus.cutAll()
	}
}

// CutBus is CutLinks for one bus of this broker.
func (b *Broker) CutBus(bus amqpbus.Bus) { b.own(bus).cutAll() }

// CutPublishing cuts the publishing link of one bus alone.
func (b *Broker) CutPublishing(bus amqpbus.Bus) { b.own(bus).cut(true, false) }

// CutConsuming cuts the consuming link of one bus alone.
func (b *Broker) CutConsuming(bus amqpbus.Bus) { b.own(bus).cut(false, true) }

// Block lets every bus's Publish wait, as an alarm does; reason is what
// Health says. Consumers go on.
func (b *Broker) Block(reason string) {
	b.mu.Lock()
	b.blocked = reason
	b.mu.Unlock()
	for _, bus := range b.of("") {
		bus.setBlocked(reason)
	}
}

// Unblock ends Block.
func (b *Broker) Unblock() { b.Block("") }

// Down stops the broker: all links end and stay down until Up. Transient
// messages are lost.
func (b *Broker) Down() {
	b.mu.Lock()
	b.down = true
	b.mu.Unlock()
	for _, bus := range b.of("") {
		bus.setConnected(false)
	}
	b.core.Restart(amqpbus.ErrLinkLost)
}

// Up starts the broker again.
func (b *Broker) Up() {
	b.mu.Lock()
	b.down = false
	b.mu.Unlock()
	b.core.Restart(amqpbus.ErrLinkLost) // the clocks of unused queues start now
	for _, bus := range b.of("") {
		bus.setConnected(true)
	}
}

// Disconnect ends all links of one bus and keeps it away until Reconnect.
func (b *Broker) Disconnect(bus amqpbus.Bus) { b.own(bus).setConnected(false) }

// Reconnect ends Disconnect.
func (b *Broker) Reconnect(bus amqpbus.Bus) { b.own(bus).setConnected(true) }

func (b *Broker) of(user string) []*Bus {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []*Bus
	for _, bus := range b.buses {
		if user == "" || bus.user == user {
			out = append(out, bus)
		}
	}
	return out
}

// own is the bus behind the interface; only this broker's are given to it.
func (b *Broker) own(bus amqpbus.Bus) *Bus {
	own, ok := bus.(*Bus)
	if !ok || own.broker != b {
		panic("membus: a bus of another broker")
	}
	return own
}

func (b *Bus) cutAll() {
	b.cut(true, true)
	b.cutReading(amqpbus.ErrLinkLost)
}

func (b *Bus) cut(publishing, consuming bool) {
	b.mu.Lock()
	consumers, publishers := b.consumers, b.publishers
	if publishing {
		b.publishers = map[*publisher]struct{}{}
	} else {
		publishers = nil
	}
	if consuming {
		b.consumers = map[*consumer]struct{}{}
	} else {
		consumers = nil
	}
	b.changeLocked()
	b.mu.Unlock()
	end(consumers, publishers, amqpbus.ErrLinkLost)
}

func (b *Bus) setConnected(up bool) {
	b.mu.Lock()
	b.connected = up
	b.changeLocked()
	b.mu.Unlock()
	if !up {
		b.cutAll()
	}
}

func (b *Bus) setBlocked(reason string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.blocked = reason
	b.changeLocked()
}
