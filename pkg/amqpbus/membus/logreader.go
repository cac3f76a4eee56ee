package membus

import (
	"context"
	"fmt"
	"time"

	"belfry/pkg/amqpbus"
)

// logReader makes a LogTap block. It implements amqpbus.LogReader.
type logReader struct {
	bus   *Bus
	tap   *LogTap
	woken chan struct{}
}

// OpenLogReader implements amqpbus.Bus. A reader has a link of its own, so it waits
// for neither link of the bus.
func (b *Bus) OpenLogReader(ctx context.Context, o amqpbus.LogReaderOptions) (amqpbus.LogReader, error) {
	fate, err := b.askLog(ctx, o)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.readableLocked(); err != nil {
		return nil, fmt.Errorf("read log %s: %w", o.Log, err)
	}
	r := &logReader{bus: b, woken: make(chan struct{}, 1)}
	t := LogTapOptions{Log: o.Log, At: o.At, Hung: fate == LogHangs, Wake: r.wake}
	if fate == LogAttachLate {
		t.Miss = 1
	}
	tap, err := b.broker.core.ReadLog(t)
	if err != nil {
		return nil, err
	}
	r.tap = tap
	b.readers[r] = struct{}{}
	return r, nil
}

func (b *Bus) readableLocked() error {
	switch {
	case b.closed:
		return amqpbus.ErrClosed
	case !b.connected:
		return fmt.Errorf("%w: %w", amqpbus.ErrLinkLost, errAway)
	}
	return nil
}

// askLog is the broker's answer as the test wants it.
func (b *Bus) askLog(ctx context.Context, o amqpbus.LogReaderOptions) (LogFate, error) {
	if o.At < amqpbus.LogNext {
		return 0, fmt.Errorf("read log %s: %d is no offset: it must be at least 0, or LogNext", o.Log, o.At)
	}
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("read log %s: %w", o.Log, err)
	}
	fate := b.broker.logFate(b.user, o)
	switch fate {
	case LogGone:
		return fate, fmt.Errorf("read log %s: %w", o.Log, amqpbus.ErrLogGone)
	case LogRefused:
		return fate, fmt.Errorf("read log %s: %w: the test refuses it", o.Log, amqpbus.ErrLogRefused)
	case LogUnanswered:
		return fate, b.unanswered(ctx, o.Log)
	default:
		return fate, nil
	}
}

func (b *Bus) unanswered(ctx context.Context, log string) error {
	late := time.NewTimer(amqpbus.LogStepWithin)
	defer late.Stop()
	select {
	case <-late.C:
		return fmt.Errorf("read log %s: %w", log, amqpbus.ErrLogUnanswered)
	case <-ctx.Done():
		return fmt.Errorf("read log %s: %w", log, ctx.Err())
	case <-b.ended:
		return fmt.Errorf("read log %s: %w", log, amqpbus.ErrClosed)
	}
}

// wake is called under the core's lock: it leaves a mark and goes.
func (r *logReader) wake() {
	select {
	case r.woken <- struct{}{}:
	default:
	}
}

// Receive implements amqpbus.LogReader.
func (r *logReader) Receive(ctx context.Context, max int) ([]amqpbus.LogEntry, error) {
	if max < 1 {
		return nil, fmt.Errorf("receive: max %d is below 1", max)
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		out, err := r.tap.TryReceive(max)
		if len(out) > 0 || err != nil {
			return out, err
		}
		select {
		case <-r.woken:
		case <-ctx.Done():
		}
	}
}

// Close implements amqpbus.LogReader.
func (r *logReader) Close() error {
	r.bus.mu.Lock()
	delete(r.bus.readers, r)
	r.bus.mu.Unlock()
	r.tap.End(amqpbus.ErrClosed)
	return nil
}
