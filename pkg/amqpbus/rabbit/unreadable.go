package rabbit

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"belfry/pkg/amqpbus"
)

// RabbitMQ 4 takes an entry that it cannot deliver: one of the type amqp-1.0 whose body
// holds no section of a body. It then ends the connection of every reader that comes
// near, with what it has read ahead. Such an entry is no event: nobody can read it. So
// a reader passes over it, when it is proved that the broker delivers what stands
// behind it and not the entry itself. A broker that fails for a while fails for both.

const (
	// carefully is the prefetch of a reader that is to find out which entry it is.
	carefully = 1
	// mostInARow is how many such entries behind one another are passed over at once.
	mostInARow = 64
)

// errBroke: RabbitMQ ends a connection so when it meets an error of its own.
var errBroke = errors.New("the broker failed on it, see the broker's log")

// beCareful lets the readers of a log that begin in front of an offset take one entry
// at a time: somewhere there one has broken.
func (r *reading) beCareful(log string, before int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.careful[log] = max(before, r.careful[log])
}

// carefulBefore is the offset up to which a log is read one entry at a time.
func (r *reading) carefulBefore(log string) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.careful[log]
}

// passOver consumes the log behind the entry at which a careful reader broke; nil: it is
// not proved that the entry is the reason.
func (r *reading) passOver(ctx context.Context, log string, at int64, node int) *logChannel {
	behind := r.readableBehind(ctx, log, at, node)
	for range 2 {
		if behind < 0 || !r.breaks(ctx, log, at, node) || !r.brings(ctx, log, behind, node) {
			return nil
		}
	}
	c, err := r.consume(ctx, amqpbus.LogReaderOptions{Log: log, At: behind}, node, carefully)
	if err != nil {
		return nil // its owner opens another reader
	}
	r.bus.log.Warn("passed over entries of a log that the broker cannot deliver: something publishes messages of type amqp-1.0 without a body",
		zap.String("log", log), zap.Int64("from_offset", at), zap.Int64("to_offset", behind-1))
	return c
}

// readableBehind is the first offset behind one that the broker delivers; -1: there is
// none yet, or the broker fails otherwise.
func (r *reading) readableBehind(ctx context.Context, log string, at int64, node int) int64 {
	for behind := at + 1; behind <= at+mostInARow; behind++ {
		brought, end := r.try(ctx, log, behind, node)
		switch {
		case brought:
			return behind
		case !errors.Is(end, errBroke):
			return -1
		}
	}
	return -1
}

func (r *reading) brings(ctx context.Context, log string, at int64, node int) bool {
	brought, _ := r.try(ctx, log, at, node)
	return brought
}

func (r *reading) breaks(ctx context.Context, log string, at int64, node int) bool {
	brought, end := r.try(ctx, log, at, node)
	return !brought && errors.Is(end, errBroke)
}

// try reads one entry, within LogStepWithin.
func (r *reading) try(ctx context.Context, log string, at int64, node int) (brought bool, end error) {
	c, err := r.consume(ctx, amqpbus.LogReaderOptions{Log: log, At: at}, node, carefully)
	if err != nil {
		return false, err
	}
	defer c.leave(true)
	late := time.NewTimer(amqpbus.LogStepWithin)
	defer late.Stop()
	select {
	case _, brought = <-c.in:
		if !brought {
			end = c.verdict()
		}
		return brought, end
	case <-late.C:
		return false, amqpbus.ErrLogUnanswered
	case <-ctx.Done():
		return false, ctx.Err()
	}
}
