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
	// Logger, if set, gets a debug line for each step.
	Logger *zap.Logger

	started []step
}

type step struct {
	name   string
	stop   func(context.Context) error
	within time.Duration
}

// Start runs start and, if that returns nil, records stop for Stop. Either may be nil. If start
// fails, Start stops all steps that were started before; the error joins all errors.
func (s *Steps) Start(ctx context.Context, name string, start, stop func(context.Context) error, stopWithin time.Duration) error {
	if start != nil {
		if err := start(ctx); err != nil {
			// The steps must be stopped even if start failed because ctx has ended.
			return errors.Join(fmt.Errorf("start %s: %w", name, err), s.Stop(context.WithoutCancel(ctx)))
		}
	}
	s.log().Debug("started", zap.String("step", name))
	if stop != nil {
		s.started = append(s.started, step{name: name, stop: stop, within: stopWithin})
	}
	return nil
}

// Stop stops the steps in reverse order, each within its own time and all within ctx. A step that
// takes longer is abandoned with an error, and the next one is stopped. Errors are joined. A
// second Stop does nothing.
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

// run calls stop and waits for it at most for its time.
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
	// A stop that respects its context returns now; any other is abandoned.
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
