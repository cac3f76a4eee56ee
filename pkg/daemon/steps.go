package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
)

// Steps are the parts of a program that were started, in that order. The zero
// value is ready for use; its methods are called by one goroutine.
type Steps struct {
	// Logger, when set, is told of each step.
	Logger *zap.Logger

	started []step
}

type step struct {
	name   string
	stop   func(context.Context) error
	within time.Duration
}

// Start runs start and, when it returned nil, notes stop for Stop. Either may
// be nil. When start fails, everything that was started before is stopped
// again, and the error joins what went wrong.
func (s *Steps) Start(ctx context.Context, name string, start, stop func(context.Context) error, stopWithin time.Duration) error {
	if start != nil {
		if err := start(ctx); err != nil {
			// ctx may be what ended the start, and the undoing must happen anyway.
			return errors.Join(fmt.Errorf("start %s: %w", name, err), s.Stop(context.WithoutCancel(ctx)))
		}
	}
	s.log().Debug("started", zap.String("step", name))
	if stop != nil {
		s.started = append(s.started, step{name: name, stop: stop, within: stopWithin})
	}
	return nil
}

// Stop stops what was started, in reverse order, each part within its own time
// and all within ctx. A part that takes longer is left behind with an error,
// and the next one is stopped. Errors are joined. A second Stop does nothing.
func (s *Steps) Stop(ctx context.Context) error {
	var problems []error
	for len(s.started) > 0 {
		last := s.started[len(s.started)-1]
		s.started = s.started[:len(s.started)-1]
		began := time.Now()
		err := last.run(ctx)
		if err != nil {
			problems = append(problems, fmt.Errorf("stop %s: %w", last.name, err))
		}
		s.log().Debug("stopped", zap.String("step", last.name), zap.Duration("took", time.Since(began)), zap.Error(err))
	}
	return errors.Join(problems...)
}

// run calls stop and waits for it no longer than its time.
func (s step) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.within)
	defer cancel()
	result := make(chan error, 1)
	go func() { result <- s.stop(ctx) }()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
	}
	// A stop that minds its context returns now; one that does not is left behind.
	grace := time.NewTimer(100 * time.Millisecond)
	defer grace.Stop()
	select {
	case err := <-result:
		return err
	case <-grace.C:
		return fmt.Errorf("not finished within %v: %w", s.within, ctx.Err())
	}
}

func (s *Steps) log() *zap.Logger {
	if s.Logger == nil {
		return zap.NewNop()
	}
	return s.Logger
}
