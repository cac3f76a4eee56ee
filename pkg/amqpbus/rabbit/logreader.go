package rabbit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"belfry/pkg/amqpbus"
)

// entryOverhead is what an entry counts beside its body: names, headers, and the
// memory of them.
const entryOverhead = 512

// logReader reads one log. pump moves deliveries to waiting, ends when they do, and then
// leaves the connection.
type logReader struct {
	reading *reading
	log     string
	wake    chan struct{} // capacity 1: something changed below
	done    chan struct{} // closed when pump returned
	ctx     context.Context
	cancel  context.CancelFunc

	careful int64 // owned by pump: it takes one entry at a time up to this offset; 0: it does not

	mu      sync.Mutex
	c       *logChannel // guarded by mu: the present one
	at      int64       // guarded by mu: the offset that comes next, or LogNext
	waiting []received  // guarded by mu
	bytes   int         // guarded by mu: of waiting
	err     error       // guarded by mu; set when no more will come
	last    time.Time   // guarded by mu: when an entry came
}

// received is an entry with the tag that acks it on its channel.
type received struct {
	amqpbus.LogEntry
	c   *logChannel
	tag uint64
}

func (r *received) size() int { return len(r.Body) + entryOverhead }

// pump drains one channel after the other; there is a second one only to pass over an
// entry that the broker cannot deliver.
func (l *logReader) pump() {
	defer close(l.done)
	defer l.cancel()
	c := l.channel()
	for {
		l.drain(c)
		why := c.verdict()
		next := l.beyond(c, why)
		if next == nil {
			l.end(fmt.Errorf("read log %s: %w", l.log, why))
			break
		}
		c.leave(l.lived())
		c = next
		if !l.goOn(c) {
			break
		}
	}
	l.reading.remove(l)
	c.leave(l.lived())
}

// drain ends when the library closes the deliveries, which it does whenever the channel
// ends or the broker cancels the consumer.
func (l *logReader) drain(c *logChannel) {
	for d := range c.in {
		offset, ok := d.Headers[offsetHeader].(int64)
		if !ok {
			l.end(fmt.Errorf("read log %s: %w: it is a queue of another kind: delete it while nothing runs", l.log, amqpbus.ErrLogRefused))
			go c.close()
			continue
		}
		l.took(received{amqpbus.LogEntry{Offset: offset, Message: delivery(d).Message, UserID: d.UserId}, c, d.DeliveryTag})
		if l.careful > 0 && offset >= l.careful {
			go c.close() // on at full speed
			l.careful = -1
		}
	}
}

// beyond is the channel on which the reader goes on, or nil.
func (l *logReader) beyond(c *logChannel, why error) *logChannel {
	l.mu.Lock()
	at, ended := l.at, l.err != nil
	l.mu.Unlock()
	switch {
	case ended || at < 0:
		return nil
	case l.careful < 0:
		l.careful = 0
		next, err := l.reading.consume(l.ctx, amqpbus.LogReaderOptions{Log: l.log, At: at}, c.node, amqpbus.LogPrefetch)
		if err != nil {
			return nil // its owner opens another reader
		}
		return next
	case !errors.Is(why, errBroke):
		return nil
	case l.careful == 0:
		l.reading.beCareful(l.log, at+amqpbus.LogPrefetch)
		return nil // its owner opens another reader
	default:
		return l.reading.passOver(l.ctx, l.log, at, c.node)
	}
}

// goOn reports false when the reader was closed meanwhile.
func (l *logReader) goOn(c *logChannel) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.c = c
	return l.err == nil
}

func (l *logReader) channel() *logChannel {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.c
}

// took keeps an entry for Receive. While too much waits the connection is not read.
func (l *logReader) took(r received) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return
	}
	l.waiting, l.last, l.at = append(l.waiting, r), time.Now(), r.Offset+1
	if l.bytes += r.size(); l.bytes > amqpbus.LogWaiting {
		r.c.conn.socket.gate.shut()
	}
	l.signal()
}

func (l *logReader) lived() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.last) < livedFor
}

// end sets the first reason why no more entries come. What we end ourselves has
// nothing to be received any more.
func (l *logReader) end(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = err
		if errors.Is(err, amqpbus.ErrClosed) {
			l.waiting, l.bytes = nil, 0
		}
	}
	l.signal()
}

func (l *logReader) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *logReader) Receive(ctx context.Context, most int) ([]amqpbus.LogEntry, error) {
	if most < 1 {
		return nil, fmt.Errorf("receive: at most %d entries were asked for, it must be at least 1", most)
	}
	for {
		if out, err := l.take(most); len(out) > 0 || err != nil {
			return out, err
		}
		select {
		case <-l.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// take takes out what waits, and acks it: the broker then sends as much more.
func (l *logReader) take(most int) ([]amqpbus.LogEntry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := min(len(l.waiting), most)
	if n == 0 {
		if l.err != nil {
			l.signal()
		}
		return nil, l.err
	}
	out := make([]amqpbus.LogEntry, n)
	for i := range out {
		out[i] = l.waiting[i].LogEntry
		l.bytes -= l.waiting[i].size()
	}
	newest := l.waiting[n-1]
	if l.waiting = l.waiting[n:]; len(l.waiting) == 0 {
		l.waiting = nil
	}
	if l.bytes <= amqpbus.LogWaiting/2 {
		l.c.conn.socket.gate.open()
	}
	if l.err == nil && newest.c == l.c { // never beside the end of the channel
		_ = l.c.ch.Ack(newest.tag, true) // it fails when the channel has ended, and that is told
	}
	return out, nil
}

// Close implements amqpbus.LogReader.
func (l *logReader) Close() error {
	l.end(amqpbus.ErrClosed) // behind the acks that were called
	l.cancel()
	l.channel().close()
	<-l.done
	return nil
}
