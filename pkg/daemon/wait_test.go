package daemon

import (
	"context"
	"errors"
	"sync"
	"testing"
)

func TestWait(t *testing.T) {
	var group sync.WaitGroup
	hold := make(chan struct{})
	group.Go(func() { <-hold })
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Wait(ended, &group); !errors.Is(err, context.Canceled) {
		t.Errorf("a group that goes on: %v", err)
	}
	close(hold)
	if err := Wait(t.Context(), &group); err != nil {
		t.Errorf("a group that ends: %v", err)
	}
}
