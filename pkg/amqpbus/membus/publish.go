package membus

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"belfry/pkg/amqpbus"
)

// Publish routes a message and gives the broker's verdict at once: nil (taken,
// or not mandatory and routed nowhere), ErrRefused (a queue was full; the
// others have it), ErrUnroutable, ErrMessage or ErrNoExchange. The core keeps
// copies of what m points to.
func (c *Core) Publish(user string, m amqpbus.Message) error {
	if err := checkMessage(m); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	queues, err := c.routeLocked(m.Exchange, m.Key)
	if err != nil {
		return err
	}
	if len(queues) == 0 {
		if m.Mandatory {
			return fmt.Errorf("publish to %q: %w", m.Exchange, amqpbus.ErrUnroutable)
		}
		return nil
	}
	m.Body, m.Headers = slices.Clone(m.Body), maps.Clone(m.Headers)
	m.Mandatory = false // it is a wish of the publish, not a property of the message
	s := &stored{msg: m, userID: user}
	for _, q := range queues {
		if !c.enqueueLocked(q, s) {
			err = fmt.Errorf("publish to queue %q: %w", q.args.Name, amqpbus.ErrRefused)
		}
	}
	return err
}

func (c *Core) routeLocked(exchange, key string) ([]*queue, error) {
	if exchange == "" {
		if q := c.queueLocked(key); q != nil && !q.hidden() {
			return []*queue{q}, nil
		}
		return nil, nil
	}
	e := c.exchanges[exchange]
	if e == nil {
		return nil, fmt.Errorf("publish to %q: %w", exchange, ErrNoExchange)
	}
	routed := e.route(key)
	now := c.now()
	live := routed[:0]
	for _, q := range routed {
		switch {
		case q.unusedOver(now):
			c.removeLocked(q)
		case !q.hidden():
			live = append(live, q)
		}
	}
	return live, nil
}

// enqueueLocked reports false when the queue refuses.
func (c *Core) enqueueLocked(q *queue, s *stored) bool {
	if q.log != nil {
		q.log.append(s, c.shape.complete(), c.now())
		return true
	}
	if !q.args.DropHead && q.full(len(s.msg.Body)) {
		c.dropExpiredLocked(q)
		if q.full(len(s.msg.Body)) {
			return false
		}
	}
	q.places++
	i := &item{stored: s, place: q.places}
	if s.msg.Expiration > 0 {
		i.expires = c.now().Add(s.msg.Expiration)
		c.noteLocked(i.expires)
	}
	q.ready.push(i)
	c.dispatchLocked(q)
	for q.overfull() && q.ready.len() > 0 {
		c.dieLocked(q, q.ready.pop(), "maxlen")
	}
	return true
}

// dispatchLocked pushes ready messages to taps with room.
func (c *Core) dispatchLocked(q *queue) {
	for {
		c.dropExpiredLocked(q)
		if q.ready.len() == 0 {
			return
		}
		t := q.taker()
		if t == nil {
			break
		}
		t.hold(q.ready.pop())
	}
	if i := q.ready.first(); !i.expires.IsZero() {
		c.noteLocked(i.expires)
	}
}

// dropExpiredLocked lets expired messages die; only at the head, as a broker does.
func (c *Core) dropExpiredLocked(q *queue) {
	now := c.now()
	for i := q.ready.first(); i != nil && i.expired(now); i = q.ready.first() {
		c.dieLocked(q, q.ready.pop(), "expired")
	}
}

// dieLocked dead-letters a message through the default exchange, or discards
// it. What comes round to a queue that it died in before is discarded.
func (c *Core) dieLocked(q *queue, i *item, reason string) {
	to := q.args.DeadLetterTo
	target := c.queueLocked(to)
	path := append(slices.Clone(i.path), q.args.Name)
	if to == "" || target == nil || slices.Contains(path, to) {
		return
	}
	dead := &amqpbus.Death{Reason: reason, Queue: q.args.Name, Exchange: i.msg.Exchange, Key: i.msg.Key, Times: 1}
	m := i.msg
	m.Exchange, m.Key, m.Expiration = "", to, 0
	c.enqueueLocked(target, &stored{msg: m, userID: i.userID, dead: dead, path: path})
}

// checkMessage holds a message to the bounds of AMQP's short strings.
func checkMessage(m amqpbus.Message) error {
	const most = 255
	for _, f := range []struct{ name, text string }{
		{"exchange", m.Exchange}, {"key", m.Key}, {"type", m.Type}, {"id", m.ID}, {"reply-to", m.ReplyTo},
	} {
		if len(f.text) > most {
			return fmt.Errorf("%w: its %s has %d bytes, more than %d", amqpbus.ErrMessage, f.name, len(f.text), most)
		}
	}
	for key := range m.Headers {
		if len(key) > most {
			return fmt.Errorf("%w: a header's key has %d bytes, more than %d", amqpbus.ErrMessage, len(key), most)
		}
	}
	if m.Expiration < 0 || m.Expiration%time.Millisecond != 0 {
		return fmt.Errorf("%w: its expiration %s is not whole milliseconds", amqpbus.ErrMessage, m.Expiration)
	}
	return nil
}
