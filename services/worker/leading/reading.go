package leading

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"go.uber.org/zap"

	"belfry/pkg/amqpbus"
	"belfry/pkg/eventlog"
	"belfry/services/worker/lead"
)

const (
	// readAtOnce bounds the entries that the machine is given between two looks at its
	// effects: events that come together travel in one batch.
	readAtOnce = 256
	// Pauses before the machine is told that a reader has ended which brought nothing.
	firstPause = 200 * time.Millisecond
	mostPause  = 5 * time.Second
	// goneAfter is how many readings that brought nothing end one after the other, until
	// a log that does not exist is declared again: about 6 s.
	goneAfter     = 4
	declareWithin = 10 * time.Second
)

// readingKey names a reader: the machine and the filler number theirs alike.
type readingKey struct {
	filler bool
	number int
}

// reading is a reader of the log. Its goroutine reads; the log's owns the fields.
type reading struct {
	key   readingKey
	stop  context.CancelFunc
	brisk bool // it has brought something
}

// brought is what a reading has brought.
type brought struct {
	by      *reading
	entries []amqpbus.LogEntry
}

// openReading starts a reader. One that ends at once again and again is told of later
// and later, so that who opens the next does not storm the broker.
func (l *log) openReading(key readingKey, at int64) {
	ctx, stop := context.WithCancel(l.ctx)
	r := &reading{key: key, stop: stop}
	l.readings[key] = r
	pause := min(firstPause<<min(l.failed, 8), mostPause)
	gone := l.failed >= goneAfter
	l.reading.Go(func() {
		defer stop()
		err := l.bring(ctx, r, at)
		if ctx.Err() != nil {
			return
		}
		l.logger.Warn("reader of the log ended", zap.Int("reader", key.number), zap.Bool("filler", key.filler), zap.Error(err))
		if gone && errors.Is(err, amqpbus.ErrLogGone) {
			l.declare(ctx)
		}
		timer := time.NewTimer(pause/2 + rand.N(pause)) // jitter, not a secret
		defer timer.Stop()
		select {
		case <-timer.C:
			l.inbox.Put(func() { l.readingEnded(r) })
		case <-ctx.Done():
		}
	})
}

// declare makes a log anew that somebody has deleted: the machine finds out that it is
// another. It is not done at once, for a log is also gone while a cluster fails over.
func (l *log) declare(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, declareWithin)
	defer cancel()
	name := amqpbus.LogQueue(l.of.o.Layout.Shards, l.number)
	err := l.of.o.Bus.Declare(ctx, amqpbus.LogTopology(l.of.o.Layout).Of(name))
	l.logger.Warn("the log was deleted, and is declared anew: what it held is lost", zap.String("queue", name), zap.Error(err))
}

// bring reads until the reader ends, or ctx does.
func (l *log) bring(ctx context.Context, r *reading, at int64) error {
	if at == lead.Next {
		at = amqpbus.LogNext
	}
	reader, err := l.of.o.Bus.OpenLogReader(ctx, amqpbus.LogReaderOptions{
		Log: amqpbus.LogQueue(l.of.o.Layout.Shards, l.number), At: at,
	})
	if err != nil {
		return fmt.Errorf("open a reader: %w", err)
	}
	defer func() { _ = reader.Close() }()
	for {
		entries, err := reader.Receive(ctx, readAtOnce)
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		select {
		case l.brought <- brought{r, entries}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (l *log) readingEnded(r *reading) {
	if l.readings[r.key] != r {
		return
	}
	delete(l.readings, r.key)
	if l.failed++; r.brisk {
		l.failed = 0
	}
	if r.key.filler {
		l.filler.ReaderEnded(r.key.number)
	} else {
		l.machine.ReaderEnded(r.key.number)
	}
}

func (l *log) closeReading(key readingKey) {
	if r := l.readings[key]; r != nil {
		delete(l.readings, key)
		r.stop()
	}
}

// read gives the machine or the filler what its reader has brought.
func (l *log) read(b brought) {
	if l.readings[b.by.key] != b.by {
		return // it was closed
	}
	b.by.brisk, l.failed = true, 0
	l.of.metrics.entries.WithLabelValues(strconv.Itoa(l.number)).Add(float64(len(b.entries)))
	for i := range b.entries {
		e := l.entryOf(&b.entries[i])
		if b.by.key.filler {
			l.filler.Read(b.by.key.number, &e)
		} else {
			l.machine.Read(b.by.key.number, &e)
		}
	}
}

// entryOf is an entry as the rules know it. A mark is a worker's alone; a pack, and a group
// that stands in a header, count on our own emitters' exchange alone.
func (l *log) entryOf(e *amqpbus.LogEntry) eventlog.Entry {
	out := eventlog.Entry{
		Offset: e.Offset, Exchange: e.Exchange, Key: e.Key, Type: e.Type, ID: e.ID, Timestamp: e.Timestamp,
		Trace: e.Headers[amqpbus.HeaderTrace], Body: e.Body,
	}
	if e.Type == lead.MarkType && !l.of.o.Workers.Has(e.UserID) {
		out.Type = ""
	}
	ours := e.Exchange == amqpbus.EmitLogs(l.of.o.Layout.Shards)
	if ours {
		out.Group = e.Headers[amqpbus.HeaderGroup]
	} else if e.Type == eventlog.PackType {
		out.Type = "" // one event, whatever it says
	}
	if len(out.Trace) > maxTrace {
		out.Trace = ""
	}
	if out.Type != lead.MarkType {
		out.Refused = l.refuse(e, &out)
	}
	return out
}
