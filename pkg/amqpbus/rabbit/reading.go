package rabbit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/address"
)

const (
	// spareFor is how long a connection waits for the next reader: a leader opens one
	// every 10 s for a moment.
	spareFor = 30 * time.Second
	// livedFor is how long before its end a reader whose connection is kept must have
	// brought an entry.
	livedFor = 5 * time.Second
)

// reading has the connections of the log readers. One is used by one reader at a
// time, because what a broker cannot read may end the whole connection, and a reader
// that gets no answer is ended with its connection. One that a reader has left in
// order waits for the next for a while, one for each node, if it brought an entry a
// moment before: one that hung is not tried again.
type reading struct {
	bus       *bus
	connector connector

	mu      sync.Mutex
	next    int // the node to begin with
	spare   map[int]*spare
	readers map[*logReader]struct{}
	closed  bool
	failing map[string]time.Time // since when a log is not served
	careful map[string]int64     // before which offset a log is read one entry at a time
}

// spare is a connection without a reader.
type spare struct {
	conn  *connection
	timer *time.Timer
}

func newReading(b *bus, targets []address.Address) *reading {
	return &reading{
		bus: b, spare: map[int]*spare{}, readers: map[*logReader]struct{}{}, failing: map[string]time.Time{}, careful: map[string]int64{},
		connector: connector{o: b.o, targets: targets, name: b.o.Name + " log", heartbeat: b.o.Heartbeat, blocked: func() bool { return false }},
	}
}

// turn is the node to begin with. Each reader begins with another one: its
// predecessor may have hung there.
func (r *reading) turn() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := r.next
	r.next = (r.next + 1) % len(r.connector.targets)
	return first
}

// connect is a connection to a node that nobody uses.
func (r *reading) connect(ctx context.Context, node int) (*connection, error) {
	r.mu.Lock()
	s := r.spare[node]
	delete(r.spare, node)
	r.mu.Unlock()
	if s != nil && s.timer.Stop() && !s.conn.IsClosed() {
		return s.conn, nil
	}
	conn, err := r.connector.connect(ctx, r.connector.targets[node])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", amqpbus.ErrLinkLost, err)
	}
	return conn, nil
}

// giveBack keeps a connection whose channel was closed, or closes it.
func (r *reading) giveBack(conn *connection, node int, lived bool) {
	r.mu.Lock()
	keep := lived && !r.closed && r.spare[node] == nil && !conn.IsClosed()
	if keep {
		s := &spare{conn: conn}
		s.timer = time.AfterFunc(spareFor, func() { r.drop(node, s) })
		r.spare[node] = s
	}
	r.mu.Unlock()
	if !keep {
		_ = conn.end(r.bus.last) // its error says that it was cut
	}
}

// drop closes a connection that nobody wanted.
func (r *reading) drop(node int, s *spare) {
	r.mu.Lock()
	if r.spare[node] == s {
		delete(r.spare, node)
	}
	r.mu.Unlock()
	_ = s.conn.end(r.bus.last)
}

// add reports false when the bus was closed meanwhile.
func (r *reading) add(l *logReader) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.readers[l] = struct{}{}
	}
	return !r.closed
}

func (r *reading) remove(l *logReader) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.readers, l)
}

// end closes all readers and connections.
func (r *reading) end() error {
	r.mu.Lock()
	r.closed = true
	readers, spares := r.readers, r.spare
	r.readers, r.spare = nil, nil
	r.mu.Unlock()
	var ends []func() error
	for l := range readers {
		ends = append(ends, l.Close)
	}
	for _, s := range spares {
		s.timer.Stop()
		ends = append(ends, func() error { return s.conn.end(r.bus.last) })
	}
	errs := make(chan error)
	for _, end := range ends {
		go func() { errs <- end() }()
	}
	var all error
	for range ends {
		all = errors.Join(all, <-errs)
	}
	return all
}
