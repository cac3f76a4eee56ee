package harness

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// pollEvery is how often something is asked that cannot say when it changes.
const pollEvery = 50 * time.Millisecond

// Await calls check, 20 times a second, until it returns nil. When ctx ends first,
// the error has check's last one.
func Await(ctx context.Context, what string, check func() error) error {
	return await(ctx, what, check, nil)
}

// Await is Await for something that cannot happen any more once the process has
// ended.
func (p *Process) Await(ctx context.Context, what string, check func() error) error {
	err := await(ctx, what, check, p.done)
	if errors.Is(err, errEnded) {
		return fmt.Errorf("%s ended with status %d; waited for %s", p.Name, p.ExitCode(), what)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", p.Name, err)
	}
	return nil
}

var errEnded = errors.New("the process has ended")

func await(ctx context.Context, what string, check func() error, ended <-chan struct{}) error {
	began, last := time.Now(), errors.New("it was not asked")
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		err := check()
		if err == nil {
			return nil
		}
		if ctx.Err() == nil { // else it was asked too late
			last = err
		}
		select {
		case <-ended:
			return errEnded
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	return fmt.Errorf("waited %v in vain for %s: %w", time.Since(began).Round(time.Millisecond), what, last)
}
