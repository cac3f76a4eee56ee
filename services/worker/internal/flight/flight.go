// Package flight asks another server a question only once while several callers need the
// answer, and gives all of them the result.
//
// A flight is one question that is being asked. It has its own goroutine, because the
// caller that started it may give up while others still wait. Its context ends with the
// group's time-out, or when the group is closed. If the question panics, the flight's
// result is an error.
package flight

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrClosed is the error of a flight whose group was closed.
var ErrClosed = errors.New("the worker is stopping")

// Group is a set of flights, each with a name. All methods may be called concurrently.
type Group[V any] struct {
	timeout time.Duration
	ctx     context.Context
	stop    context.CancelCauseFunc
	running sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	flights map[string]*Flight[V]
}

// Flight is one question that is being asked.
type Flight[V any] struct {
	landed chan struct{} // closed when value and err are final
	value  V
	err    error
}

// NewGroup makes a group whose flights take at most timeout each. Close it.
func NewGroup[V any](timeout time.Duration) *Group[V] {
	ctx, stop := context.WithCancelCause(context.Background())
	return &Group[V]{timeout: timeout, ctx: ctx, stop: stop, flights: map[string]*Flight[V]{}}
}

// Join returns the flight of that name, or starts one with ask; started says which. If the
// group is closed, it returns a flight that has ended with ErrClosed.
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

// fly asks the question. It removes the flight from the group before the result can be
// seen, so that callers which come later ask again.
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

// Wait returns the answer or the question's error, or an error that wraps ctx's if ctx ends
// first.
func (f *Flight[V]) Wait(ctx context.Context) (V, error) {
	select {
	case <-f.landed:
		return f.value, f.err
	case <-ctx.Done():
		var none V
		return none, fmt.Errorf("wait for the answer: %w", ctx.Err())
	}
}

// Forget makes Join start new flights, although others of the same name may be running.
func (g *Group[V]) Forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.flights = map[string]*Flight[V]{}
}

// Close ends all flights, also forgotten ones, with an error and waits for them.
func (g *Group[V]) Close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.stop(ErrClosed)
	g.running.Wait()
}
