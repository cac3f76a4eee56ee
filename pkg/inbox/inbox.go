// Package inbox holds what other goroutines leave for one that owns something: the
// owner waits for Ready, takes all that waits, and does it in order. Whoever leaves
// something never waits, so an inbox is for what is bounded elsewhere: verdicts on
// publishes in the air, one question of each connection.
package inbox

import "sync"

// Inbox is ready for use after New. Put may be called concurrently; Do by the owner
// alone.
type Inbox struct {
	ready chan struct{} // capacity 1: something waits

	mu      sync.Mutex
	waiting []func() // guarded by mu
	spare   []func() // owned by the owner: the memory of the last Do
}

// New makes an empty inbox.
func New() *Inbox { return &Inbox{ready: make(chan struct{}, 1)} }

// Put leaves something to do. It does not block.
func (i *Inbox) Put(do func()) {
	i.mu.Lock()
	i.waiting = append(i.waiting, do)
	i.mu.Unlock()
	select {
	case i.ready <- struct{}{}:
	default:
	}
}

// Ready has an item when there may be something to take.
func (i *Inbox) Ready() <-chan struct{} { return i.ready }

// Do does what waits, in order, and reports whether there was anything.
func (i *Inbox) Do() bool {
	i.mu.Lock()
	all := i.waiting
	i.waiting = i.spare[:0]
	i.mu.Unlock()
	for _, do := range all {
		do()
	}
	clear(all)
	i.spare = all
	return len(all) > 0
}
