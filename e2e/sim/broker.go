package sim

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"belfry/pkg/amqpbus"
)

// broker is RabbitMQ as far as the rules rely on it.
type broker struct {
	w       *world
	shards  []*queue
	replies map[string]*queue // by id
	order   []*queue          // the reply queues as they came
	expired []*amqpbus.Delivery
	blocked bool // an alarm: nothing that publishes is read
}

// queue has one active consumer, the first of its line.
type queue struct {
	ready     []stored
	stored    uint64 // positions given so far
	limit     int    // of ready messages; a publish beyond it is refused
	consumers []*subscription
	unused    time.Duration // since when no consumer is there
}

type stored struct {
	d       amqpbus.Delivery
	at      uint64        // its position, to which it returns
	expires time.Duration // 0: never
}

// subscription is a consumer's channel.
type subscription struct {
	q        *queue
	prefetch int
	unacked  []stored
	first    uint64 // tag of unacked[0]
	out      *wire
	take     func(amqpbus.Delivery)
	ended    bool
}

// How long an unused reply queue lives, and how much it and a shard's queue hold.
const (
	replyExpiry = 60 * time.Second
	replyLimit  = 500
	shardLimit  = 300
)

func newBroker(w *world, shards int) *broker {
	b := &broker{w: w, replies: map[string]*queue{}}
	for range shards {
		b.shards = append(b.shards, &queue{limit: shardLimit})
	}
	return b
}

// publish stores a message and returns the broker's verdict.
func (b *broker) publish(m amqpbus.Message, user string) error {
	d := amqpbus.Delivery{Message: m, UserID: user}
	switch m.Exchange {
	case amqpbus.ExchangeReply:
		q := b.replies[m.Key]
		if q == nil {
			return amqpbus.ErrUnroutable
		}
		return b.store(q, d)
	case amqpbus.ExchangeReplyAll:
		var verdict error
		for _, q := range b.order {
			if err := b.store(q, d); err != nil {
				verdict = err
			}
		}
		return verdict
	case amqpbus.ExchangeEmit:
		return b.store(b.shards[0], d)
	case amqpbus.ExchangeEvents:
		b.w.announced(m)
		return nil
	default: // the emit and interest exchanges of the shards
		shard, err := strconv.Atoi(m.Key)
		if err != nil {
			b.w.violate("a message to %q with key %q", m.Exchange, m.Key)
			return nil
		}
		return b.store(b.shards[shard], d)
	}
}

func (b *broker) store(q *queue, d amqpbus.Delivery) error {
	if len(q.ready) >= q.limit {
		return amqpbus.ErrRefused
	}
	q.stored++
	s := stored{d: d, at: q.stored}
	if d.Expiration > 0 {
		s.expires = b.w.now + d.Expiration
	}
	b.w.queued(s)
	q.ready = append(q.ready, s)
	return nil
}

// declare makes a reply queue and reports that it was there.
func (b *broker) declare(id string) (q *queue, resumed bool) {
	if q := b.replies[id]; q != nil {
		return q, true
	}
	q = &queue{limit: replyLimit, unused: b.w.now}
	b.replies[id] = q
	b.order = append(b.order, q)
	return q, false
}

func (b *broker) remove(id string) {
	q := b.replies[id]
	delete(b.replies, id)
	for i := range b.order {
		if b.order[i] == q {
			b.order = append(b.order[:i:i], b.order[i+1:]...)
			break
		}
	}
	for len(q.consumers) > 0 {
		b.end(q.consumers[0])
	}
}

// subscribe adds a consumer. Its deliveries arrive on a wire of its own.
func (b *broker) subscribe(q *queue, prefetch int, to *process, take func(amqpbus.Delivery)) *subscription {
	s := &subscription{q: q, prefetch: prefetch, first: 1, out: b.w.wire(to), take: take}
	q.consumers = append(q.consumers, s)
	return s
}

// end closes a consumer's channel: what it has not acked goes back to where it
// was, and the next consumer is active at once.
func (b *broker) end(s *subscription) {
	if s.ended {
		return
	}
	s.ended = true
	q := s.q
	for i := range s.unacked {
		s.unacked[i].d.Redelivered = true
	}
	q.ready = append(q.ready, s.unacked...)
	if !b.w.broken.requeueAtTail {
		slices.SortFunc(q.ready, func(x, y stored) int { return cmp.Compare(x.at, y.at) })
	}
	s.unacked = nil
	for i := range q.consumers {
		if q.consumers[i] == s {
			q.consumers = append(q.consumers[:i:i], q.consumers[i+1:]...)
			break
		}
	}
	q.unused = b.w.now
}

// deliver sends up to n messages to the queue's active consumer.
func (b *broker) deliver(q *queue, n int) {
	b.expire(q)
	if len(q.consumers) == 0 {
		return
	}
	s := q.consumers[0]
	for ; n > 0 && len(q.ready) > 0 && len(s.unacked) < s.prefetch; n-- {
		next := q.ready[0]
		q.ready = q.ready[1:]
		next.d.Tag = s.first + uint64(len(s.unacked))
		s.unacked = append(s.unacked, next)
		d := next.d
		s.out.send(func() { s.take(d) })
	}
}

// ack takes everything through a tag.
func (s *subscription) ack(w *world, tag uint64) {
	n := int(tag) - int(s.first) + 1
	switch {
	case s.ended:
	case n < 1 || n > len(s.unacked):
		w.violate("an ack of tag %d, outstanding are %d from %d", tag, len(s.unacked), s.first)
	default:
		s.unacked = s.unacked[n:]
		s.first = tag + 1
	}
}

// expire moves what is too old at a queue's head to the expired ones.
func (b *broker) expire(q *queue) {
	for len(q.ready) > 0 && q.ready[0].expires > 0 && q.ready[0].expires <= b.w.now {
		b.expired = append(b.expired, &q.ready[0].d)
		q.ready = q.ready[1:]
	}
}

// age removes reply queues that were unused for too long.
func (b *broker) age() {
	for _, g := range b.w.gateways {
		if q := b.replies[string(g.id)]; q != nil && len(q.consumers) == 0 && b.w.now-q.unused >= replyExpiry {
			b.w.tell("the reply queue of %s expires", g.id)
			b.remove(string(g.id))
		}
	}
	for _, k := range b.w.workers {
		if q := b.replies[string(k.id)]; q != nil && len(q.consumers) == 0 && b.w.now-q.unused >= replyExpiry {
			b.remove(string(k.id))
		}
	}
}
