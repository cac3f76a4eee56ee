package flight

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOneQuestionForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGroup[int](time.Minute)
		defer g.Close()
		asked := 0
		answer := make(chan int)
		ask := func(context.Context) (int, error) { asked++; return <-answer, nil }
		var all sync.WaitGroup
		starters := make(chan bool, 10)
		for range 10 {
			all.Go(func() {
				f, started := g.Join("a", ask)
				starters <- started
				if v, err := f.Wait(t.Context()); v != 7 || err != nil {
					t.Errorf("got %d, %v", v, err)
				}
			})
		}
		synctest.Wait()
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		f, _ := g.Join("a", ask)
		if _, err := f.Wait(gone); !errors.Is(err, context.Canceled) {
			t.Errorf("who gave up: %v", err)
		}
		answer <- 7
		all.Wait()
		if asked != 1 {
			t.Errorf("asked %d times", asked)
		}
		n := 0
		for range 10 {
			if <-starters {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d started it", n)
		}
	})
}

func TestForgottenFlightsAreNotJoined(t *testing.T) {
	g := NewGroup[int](time.Minute)
	defer g.Close()
	first, second := make(chan int), make(chan int)
	old, _ := g.Join("a", func(context.Context) (int, error) { return <-first, nil })
	g.Forget()
	young, started := g.Join("a", func(context.Context) (int, error) { return <-second, nil })
	if !started {
		t.Fatal("a forgotten flight was joined")
	}
	first <- 1
	if v, _ := old.Wait(t.Context()); v != 1 {
		t.Errorf("the old flight's answer is %d", v)
	}
	if f, started := g.Join("a", nil); started || f != young {
		t.Error("the old flight took the young one away when it landed")
	}
	second <- 2
	if v, _ := young.Wait(t.Context()); v != 2 {
		t.Errorf("the young flight's answer is %d", v)
	}
}

func TestEndsOfFlights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGroup[int](time.Second)
		wait := func(ctx context.Context) (int, error) { <-ctx.Done(); return 0, context.Cause(ctx) }
		late, _ := g.Join("late", wait)
		if _, err := late.Wait(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after the time-out: %v", err)
		}
		broken, _ := g.Join("panic", func(context.Context) (int, error) { panic("a token") })
		if _, err := broken.Wait(t.Context()); err == nil || err.Error() != "the question panicked: string" {
			t.Errorf("after a panic: %v", err)
		}
		open, _ := g.Join("open", wait)
		g.Close()
		if _, err := open.Wait(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("closed: %v", err)
		}
		after, started := g.Join("after", wait)
		if _, err := after.Wait(t.Context()); started || !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %t, %v", started, err)
		}
	})
}
