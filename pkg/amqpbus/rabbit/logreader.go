package rabbit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"belfry/pkg/amqpbus"
)

// entryOverhead is what an entry counts beside its body: names, headers, and the
// memory of them.
const entryOverhead = 512

// logReader is one channel that reads one log, alone on its connection. pump moves
// deliveries to waiting, ends when the channel does, and then leaves the connection.
type logReader struct {
	reading *reading
	conn    *connection
	node    int
	ch      *amqp.Channel
	log     string
	wake    chan struct{} // capacity 1: something changed below
	done    chan struct{} // closed when pump returned

	mu      sync.Mutex
	waiting []received // guarded by mu
	bytes   int        // guarded by mu: of waiting
	err     error      // guarded by mu; set when no more will come
	last    time.Time  // guarded by mu: when an entry came
}

// received is an entry with the tag that acks it.
type received struct {
	amqpbus.LogEntry
	tag uint64
}

func (r *received) size() int { return len(r.Body) + entryOverhead }

// pump ends when the library closes the deliveries, which it does whenever the
// channel ends or the broker cancels the consumer.
func (l *logReader) pump(in <-chan amqp.Delivery, lost <-chan *amqp.Error, cancelled <-chan string) {
	defer close(l.done)
	for d := range in {
		offset, ok := d.Headers[offsetHeader].(int64)
		if !ok {
			l.end(fmt.Errorf("read log %s: %w: it is a queue of another kind: delete it while nothing runs", l.log, amqpbus.ErrLogRefused))
			go l.closeChannel()
			continue
		}
		l.took(received{amqpbus.LogEntry{Offset: offset, Message: delivery(d).Message, UserID: d.UserId}, d.DeliveryTag})
	}
	l.end(fmt.Errorf("read log %s: %w", l.log, l.verdict(lost, cancelled)))
	l.reading.remove(l)
	l.conn.socket.gate.open()
	l.closeChannel()
	l.reading.giveBack(l.conn, l.node, l.lived())
}

// verdict is why the deliveries have ended.
func (l *logReader) verdict(lost <-chan *amqp.Error, cancelled <-chan string) error {
	select {
	case _, ok := <-cancelled:
		if ok {
			return fmt.Errorf("%w: it was deleted while it was read", amqpbus.ErrLogGone)
		}
	case e := <-lost:
		if e != nil {
			return logReason(e)
		}
	}
	return amqpbus.ErrLinkLost
}

// took keeps an entry for Receive. While too much waits the connection is not read.
func (l *logReader) took(r received) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return
	}
	l.waiting, l.last = append(l.waiting, r), time.Now()
	if l.bytes += r.size(); l.bytes > amqpbus.LogWaiting {
		l.conn.socket.gate.shut()
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
	tag := l.waiting[n-1].tag
	if l.waiting = l.waiting[n:]; len(l.waiting) == 0 {
		l.waiting = nil
	}
	if l.bytes <= amqpbus.LogWaiting/2 {
		l.conn.socket.gate.open()
	}
	if l.err == nil { // never beside the end of the channel
		_ = l.ch.Ack(tag, true) // it fails when the channel has ended, and that is told
	}
	return out, nil
}

// closeChannel closes the channel, or cuts the connection when the broker does not
// agree in time.
func (l *logReader) closeChannel() {
	if l.ch.IsClosed() {
		return
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_ = l.ch.Close() // it ends either way
	}()
	late := time.NewTimer(closeChannelTimeout)
	defer late.Stop()
	select {
	case <-closed:
	case <-late.C:
	case <-l.reading.bus.last.Done():
	}
	select {
	case <-closed:
	default:
		_ = l.conn.socket.Close()
		<-closed
	}
}

// Close implements amqpbus.LogReader.
func (l *logReader) Close() error {
	l.end(amqpbus.ErrClosed) // behind the acks that were called
	l.conn.socket.gate.open()
	l.closeChannel()
	<-l.done
	return nil
}
