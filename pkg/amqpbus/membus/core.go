package membus

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"belfry/pkg/amqpbus"
)

// ErrNoExchange says that a message was published to an exchange that does not
// exist. A broker closes the publishing channel for it.
var ErrNoExchange = errors.New("the exchange does not exist")

// Core is a deterministic broker: what it does depends on the calls made and on
// the injected time alone. All methods may be called concurrently.
type Core struct {
	now func() time.Time

	mu        sync.Mutex
	exchanges map[string]*exchange
	queues    []*queue // in order of declaring
	byName    map[string]*queue
	next      time.Time // nothing expires before; zero: nothing at all
	arm       func(at time.Time)
	shape     LogShape
	noStreams bool
}

// NewCore returns an empty broker. now is asked at each call and must not go
// back; nothing happens merely because it went on, until Advance is called or
// the queue concerned is touched.
func NewCore(now func() time.Time) *Core {
	return &Core{now: now, exchanges: map[string]*exchange{}, byName: map[string]*queue{}}
}

// Declare creates what is missing. It fails, having changed nothing, when
// something exists with other arguments or a binding's ends do not exist.
func (c *Core) Declare(t amqpbus.Topology) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.checkLocked(t); err != nil {
		return err
	}
	for _, e := range t.Exchanges {
		if c.exchanges[e.Name] == nil {
			c.exchanges[e.Name] = &exchange{kind: e.Kind}
		}
	}
	for _, q := range t.Queues {
		c.declareQueueLocked(q)
	}
	for _, b := range t.Bindings {
		c.exchanges[b.Exchange].bind(c.queueLocked(b.Queue), b.Key)
	}
	return nil
}

func (c *Core) declareQueueLocked(declared amqpbus.Queue) {
	q := c.queueLocked(declared.Name)
	if q == nil {
		q = &queue{args: declared}
		if declared.Stream {
			q.log = newLog()
		}
		c.queues = append(c.queues, q)
		c.byName[declared.Name] = q
	}
	c.unusedLocked(q)
}

func (c *Core) checkLocked(t amqpbus.Topology) error {
	exchanges, queues := map[string]bool{}, map[string]bool{}
	for _, e := range t.Exchanges {
		if err := c.checkExchangeLocked(e); err != nil {
			return err
		}
		exchanges[e.Name] = true
	}
	for _, q := range t.Queues {
		if err := c.checkQueueLocked(q); err != nil {
			return err
		}
		queues[q.Name] = true
	}
	for _, b := range t.Bindings {
		if c.exchanges[b.Exchange] == nil && !exchanges[b.Exchange] {
			return fmt.Errorf("bind queue %q: exchange %q does not exist", b.Queue, b.Exchange)
		}
		if c.queueLocked(b.Queue) == nil && !queues[b.Queue] {
			return fmt.Errorf("bind queue %q: %w", b.Queue, amqpbus.ErrNoQueue)
		}
	}
	return nil
}

func (c *Core) checkExchangeLocked(e amqpbus.Exchange) error {
	if e.Name == "" || !slices.Contains([]string{"direct", "topic", "fanout"}, e.Kind) {
		return fmt.Errorf("declare exchange %q: kind %q is not known", e.Name, e.Kind)
	}
	if old := c.exchanges[e.Name]; old != nil && old.kind != e.Kind {
		return fmt.Errorf("declare exchange %q: it exists as %q, not as %q", e.Name, old.kind, e.Kind)
	}
	return nil
}

func (c *Core) checkQueueLocked(q amqpbus.Queue) error {
	if q.Name == "" {
		return errors.New("declare queue: a name is needed")
	}
	if err := q.CheckStream(); err != nil {
		return err
	}
	old := c.queueLocked(q.Name)
	switch {
	case q.Stream && c.noStreams:
		return fmt.Errorf("declare log %q: %w", q.Name, amqpbus.ErrNoStreams)
	case old == nil || old.args == q:
		return nil
	case q.Name == amqpbus.QueueLayout:
		return fmt.Errorf("%w (%+v, not %+v)", amqpbus.ErrLayout, old.args, q)
	default:
		return fmt.Errorf("declare queue %q: %w: %+v, not %+v", q.Name, amqpbus.ErrArguments, old.args, q)
	}
}

// Exists reports whether a queue is there. It counts as a use of the queue, as
// a passive declare does.
func (c *Core) Exists(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := c.queueLocked(name)
	if q == nil {
		return false
	}
	c.unusedLocked(q)
	return true
}

// Delete removes a queue and what is in it; its taps end with ErrCancelled.
// A missing queue is no error.
func (c *Core) Delete(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if q := c.queueLocked(name); q != nil {
		c.removeLocked(q)
	}
}

// Depth counts a queue's ready and unacked messages; ok is false when there is
// no such queue. It is not a use of the queue.
func (c *Core) Depth(name string) (ready, unacked int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := c.queueLocked(name)
	if q == nil {
		return 0, 0, false
	}
	for _, t := range q.taps {
		unacked += t.count
	}
	return q.ready.len(), unacked, true
}

// Consumers counts a queue's taps.
func (c *Core) Consumers(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if q := c.queueLocked(name); q != nil {
		return len(q.taps)
	}
	return 0
}

// queueLocked finds a queue, removing it when its time is over.
func (c *Core) queueLocked(name string) *queue {
	q := c.byName[name]
	if q != nil && q.unusedOver(c.now()) {
		c.removeLocked(q)
		return nil
	}
	return q
}

func (c *Core) removeLocked(q *queue) {
	delete(c.byName, q.args.Name)
	c.queues = slices.DeleteFunc(c.queues, func(o *queue) bool { return o == q })
	for _, e := range c.exchanges {
		e.unbind(q)
	}
	q.gone = true
	for _, t := range q.taps {
		t.endLocked(amqpbus.ErrCancelled)
	}
	q.taps = nil
	for q.log != nil && len(q.log.taps) > 0 {
		q.log.taps[0].endLocked(amqpbus.ErrLogGone)
	}
}
