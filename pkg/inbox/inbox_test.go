package inbox

import (
	"slices"
	"sync"
	"testing"
)

// TestInOrderAndOnce: what several goroutines leave is done once, and in the order in
// which each of them left it.
func TestInOrderAndOnce(t *testing.T) {
	const from, each = 8, 500
	box := New()
	got := make([][]int, from)
	var leaving sync.WaitGroup
	for f := range from {
		leaving.Go(func() {
			for n := range each {
				box.Put(func() { got[f] = append(got[f], n) })
			}
		})
	}
	done := make(chan struct{})
	go func() { leaving.Wait(); close(done) }()
	for open := true; open; {
		select {
		case <-box.Ready():
			box.Do()
		case <-done:
			box.Do()
			open = false
		}
	}
	if box.Do() {
		t.Error("something is left")
	}
	want := make([]int, each)
	for n := range want {
		want[n] = n
	}
	for f := range from {
		if !slices.Equal(got[f], want) {
			t.Errorf("goroutine %d left %d things in order; done were %v", f, each, got[f])
		}
	}
}

// TestPutWhileDoing: what is left by what is being done waits for the next time.
func TestPutWhileDoing(t *testing.T) {
	box := New()
	var got []int
	box.Put(func() {
		got = append(got, 1)
		box.Put(func() { got = append(got, 2) })
	})
	box.Do()
	if len(got) != 1 {
		t.Fatalf("%v was done at once", got)
	}
	select {
	case <-box.Ready():
	default:
		t.Fatal("something waits, and nothing says so")
	}
	box.Do()
	if !slices.Equal(got, []int{1, 2}) {
		t.Fatalf("done: %v", got)
	}
}
