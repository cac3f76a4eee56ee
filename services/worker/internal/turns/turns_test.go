package turns

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func acquire(t *testing.T, p *Pool, user string) {
	t.Helper()
	if err := p.Acquire(t.Context(), user); err != nil {
		t.Fatal(err)
	}
}

func TestOneUserHoldsHalfOfThePlaces(t *testing.T) {
	p := New(4)
	acquire(t, p, "greedy")
	acquire(t, p, "greedy")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Acquire(ended, "greedy"); !errors.Is(err, context.Canceled) {
		t.Errorf("a third place: %v", err)
	}
	acquire(t, p, "honest") // at once
}

// TestFreePlaceGoesToNextUser: while a hundred calls of two greedy users wait, a third user's
// call gets the next place but one.
func TestFreePlaceGoesToNextUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(4)
		var mu sync.Mutex
		var order []string
		var all sync.WaitGroup
		want := func(user string) {
			all.Go(func() {
				if err := p.Acquire(t.Context(), user); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				order = append(order, user)
				mu.Unlock()
				time.Sleep(time.Second) // what holds the place; virtual
				p.Release(user)
			})
			synctest.Wait()
		}
		for range 50 {
			want("greedy 1")
			want("greedy 2")
		}
		before := len(order)
		want("honest")
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		mu.Lock()
		if got := order[before:]; len(got) != 4 || fmt.Sprint(got) == fmt.Sprint([]string{"greedy 1", "greedy 2", "greedy 1", "greedy 2"}) {
			t.Errorf("after the first places were free, these were next: %v", got)
		}
		mu.Unlock()
		all.Wait()
		if len(order) != 101 || p.free != 4 || len(p.held)+len(p.waiting)+len(p.order) != 0 {
			t.Errorf("%d had a place; at the end %d are free, %v held, %v in line", len(order), p.free, p.held, p.order)
		}
	})
}

func TestCancelledCallStopsWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(1)
		acquire(t, p, "a")
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.Acquire(soon, "b"); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		p.Release("a")
		if p.free != 1 || len(p.waiting) != 0 || len(p.order) != 0 {
			t.Errorf("%d free, lines %v, order %v", p.free, p.waiting, p.order)
		}
		acquire(t, p, "c")
	})
}
