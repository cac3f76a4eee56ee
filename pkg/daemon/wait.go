package daemon

import (
	"context"
	"sync"
)

// Wait waits for a group, and returns nil, or ctx's error when that ends first. The
// group's goroutines then go on: whoever calls ends them in another way.
func Wait(ctx context.Context, group *sync.WaitGroup) error {
	done := make(chan struct{})
	go func() {
		group.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
