// Package flight asks a question once for all who have it at the same time.
//
// A flight is one question on its way; it has a goroutine of its own, because
// whoever asked first may give up while others still wait. Its context ends when
// the group is closed, and with the group's time-out. A panic of the question is
// its error.
package flight

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrClosed ends flights of a group that is closed.
var ErrClosed = errors.New("the worker is stopping")

// Group is a set of flights, each under a name. All methods may be called
// concurrently.
type Group[V any] struct {
	timeout time.Duration
	ctx     context.Context
	stop    context.CancelCauseFunc
	running sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	flights map[string]*Flight[V]
}

// Flight is one question on its way.
type Flight[V any] struct {
	landed chan struct{} // closed when value and err are final
	value  V
	err    error
}

// NewGroup starts nothing. A flight takes at most timeout.
func NewGroup[V any](timeout time.Duration) *Group[V] {
	ctx, stop := context.WithCancelCause(context.Background())
	return &Group[V]{timeout: timeout, ctx: ctx, stop: stop, flights: map[string]*Flight[V]{}}
}

// Join finds the flight of that name, or starts one with ask. started tells
// which. In a closed group the flight has landed with ErrClosed.
func (g *Group[V]) Join(name string, ask func(context.Context) (V, error)) (f *Flight[V], started bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f, found := g.flights[name]; found {
		return f, false
	}
	f = &Flight[V]{landed: make(chan struct{})}
	if g.closed {
		f.err = ErrClosed
		close(f.landed)
		return f, false
	}
	g.flights[name] = f
	g.running.Go(func() { g.fly(name, f, ask) })
	return f, true
}

// fly ends the flight before anybody sees that it landed: who comes after that
// asks anew.
func (g *Group[V]) fly(name string, f *Flight[V], ask func(context.Context) (V, error)) {
	defer close(f.landed)
	defer func() {
		if cause := recover(); cause != nil {
			f.err = fmt.Errorf("the question panicked: %T", cause) // its value could hold a token
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.flights[name] == f {
			delete(g.flights, name)
		}
	}()
	ctx, cancel := context.WithTimeout(g.ctx, g.timeout)
	defer cancel()
	f.value, f.err = ask(ctx)
}

// Wait returns the answer, or an error when ctx ends before it is there.
func (f *Flight[V]) Wait(ctx context.Context) (V, error) {
	select {
	case <-f.landed:
		return f.value, f.err
	case <-ctx.Done():
		var none V
		return none, fmt.Errorf("wait for the answer: %w", ctx.Err())
	}
}

// Forget lets nobody join the flights that are on their way.
func (g *Group[V]) Forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.flights = map[string]*Flight[V]{}
}

// Close ends all flights and waits for them.
func (g *Group[V]) Close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.stop(ErrClosed)
	g.running.Wait()
}
