package membus

import (
	"slices"
	"time"

	"belfry/pkg/amqpbus"
)

// stored is a message as the broker keeps it; queues share it, nobody changes it.
type stored struct {
	msg    amqpbus.Message
	userID string
	dead   *amqpbus.Death
	path   []string // the queues it died in
}

// item is a stored message's place in one queue.
type item struct {
	*stored
	place       uint64 // counts the queue's messages; the place to go back to
	expires     time.Time
	redelivered bool
}

func (i *item) expired(now time.Time) bool {
	return !i.expires.IsZero() && !now.Before(i.expires)
}

// queue holds ready messages; what is unacked is with its taps. Guarded by Core.mu.
type queue struct {
	args   amqpbus.Queue
	ready  backlog
	places uint64
	taps   []*Tap // in order of consuming; the first is the active one
	turn   int    // whose turn it is among competing taps
	unused time.Time
	gone   bool
	log    *log // of a stream; then there is nothing in ready
}

// unusedOver reports that the queue's x-expires has passed.
func (q *queue) unusedOver(now time.Time) bool {
	return q.args.Expires > 0 && len(q.taps) == 0 && !now.Before(q.unused.Add(q.args.Expires))
}

// hidden reports that there is no route to it for now.
func (q *queue) hidden() bool { return q.log != nil && q.log.away }

// full reports that one more message of this size would break a bound.
func (q *queue) full(size int) bool {
	return q.args.MaxLength > 0 && q.ready.len()+1 > q.args.MaxLength ||
		q.args.MaxBytes > 0 && q.ready.bytes+int64(size) > q.args.MaxBytes
}

func (q *queue) overfull() bool {
	return q.args.MaxLength > 0 && q.ready.len() > q.args.MaxLength ||
		q.args.MaxBytes > 0 && q.ready.bytes > q.args.MaxBytes
}

// taker is the tap that gets the next message, or nil while none has room.
func (q *queue) taker() *Tap {
	if len(q.taps) == 0 {
		return nil
	}
	if q.args.SingleActiveConsumer {
		if q.taps[0].room() {
			return q.taps[0]
		}
		return nil
	}
	for i := range q.taps {
		t := q.taps[(q.turn+i)%len(q.taps)]
		if t.room() {
			q.turn = (q.turn + i + 1) % len(q.taps)
			return t
		}
	}
	return nil
}

// backlog is a queue's ready messages, by place.
type backlog struct {
	items []*item
	head  int
	bytes int64
}

func (l *backlog) len() int { return len(l.items) - l.head }

func (l *backlog) first() *item {
	if l.len() == 0 {
		return nil
	}
	return l.items[l.head]
}

func (l *backlog) push(i *item) {
	l.items = append(l.items, i)
	l.bytes += int64(len(i.msg.Body))
}

func (l *backlog) pop() *item {
	i := l.items[l.head]
	l.items[l.head] = nil
	l.head++
	l.bytes -= int64(len(i.msg.Body))
	if l.head == len(l.items) {
		l.items, l.head = l.items[:0], 0
	} else if l.head > 1024 && l.head > len(l.items)/2 {
		l.items, l.head = slices.Clone(l.items[l.head:]), 0
	}
	return i
}

// putBack returns messages to their old places.
func (l *backlog) putBack(back []*item) {
	if len(back) == 0 {
		return
	}
	all := append(slices.Clone(back), l.items[l.head:]...)
	slices.SortFunc(all, func(a, b *item) int {
		if a.place < b.place {
			return -1
		}
		return 1
	})
	for _, i := range back {
		l.bytes += int64(len(i.msg.Body))
	}
	l.items, l.head = all, 0
}

// keep drops what keep does not say yes to.
func (l *backlog) keep(keep func(*item) bool) {
	var kept []*item
	var bytes int64
	for _, i := range l.items[l.head:] {
		if keep(i) {
			kept = append(kept, i)
			bytes += int64(len(i.msg.Body))
		}
	}
	l.items, l.head, l.bytes = kept, 0, bytes
}
