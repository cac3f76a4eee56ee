package sim

import (
	"strconv"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

// event is what was emitted once, however often it was published.
type event struct {
	number  int      // among all
	order   *channel // without ids: the channel on which it was published
	source  *source
	group   protocol.Group
	started uint64 // when its first publish began
	first   uint64 // position of its first copy in the shard's queue
	last    uint64 // of its last one: it may be published again
	message amqpbus.Message
}

// source is a backend that emits, with a window of what is not confirmed.
type source struct {
	w      *world
	ids    bool // its emits carry message ids, and are published again after a lost link
	voice  *channel
	again  time.Duration
	window []*event
}

// windowSize bounds the unconfirmed emits of a source.
const windowSize = 30

// emit publishes a new event.
func (s *source) emit() {
	if s.voice == nil || len(s.window) >= windowSize {
		return
	}
	w := s.w
	e := &event{number: len(w.events), source: s, group: groupName(w.rnd.IntN(groupCount)), started: w.next()}
	shards := len(w.broker.shards)
	e.message = amqpbus.Message{
		Exchange: amqpbus.ExchangeEmit, Key: string(e.group),
		Body: []byte(`{"event": ` + strconv.Itoa(e.number) + `}`),
	}
	if shards > 1 {
		e.message.Exchange = amqpbus.EmitShards(shards)
		e.message.Key = amqpbus.ShardKey(protocol.ShardOf(e.group, shards))
		e.message.Headers = map[string]string{amqpbus.HeaderGroup: string(e.group)}
	}
	if s.ids {
		e.message.ID = "e" + strconv.Itoa(e.number)
	} else {
		e.order = s.voice
	}
	if w.rnd.IntN(2) == 0 {
		e.message.Expiration = w.expiry
	}
	w.events = append(w.events, e)
	s.window = append(s.window, e)
	w.tell("event %d of %s is emitted", e.number, e.group)
	s.publish(e)
}

func (s *source) publish(e *event) {
	c := s.voice
	c.publish(e.message, func(err error) {
		if s.voice != c {
			return
		}
		s.forget(e)
		s.w.tell("event %d: outcome %v", e.number, err)
		if err == nil {
			s.w.account.confirmed(e)
		}
	})
}

func (s *source) forget(e *event) {
	for i := range s.window {
		if s.window[i] == e {
			s.window = append(s.window[:i:i], s.window[i+1:]...)
			return
		}
	}
}

// open opens the channel. The whole unconfirmed window is published again, in
// order, before anything new; without ids what became of it stays unknown.
func (s *source) open() {
	var c *channel
	c = s.w.channel(nil, "backend", func() {
		if s.voice == c {
			s.voice = nil
			s.again = s.w.now + time.Duration(100+s.w.rnd.IntN(500))*time.Millisecond
		}
	})
	s.voice = c
	if !s.ids {
		s.window = nil
	}
	for _, e := range s.window {
		s.publish(e)
	}
}

// emitOf reads an emit back.
func (w *world) emitOf(d amqpbus.Delivery) (group protocol.Group, shard int, emit bool) {
	shards := len(w.broker.shards)
	switch d.Exchange {
	case amqpbus.ExchangeEmit:
		return protocol.Group(d.Key), 0, true
	case amqpbus.EmitShards(shards):
		group = protocol.Group(d.Headers[amqpbus.HeaderGroup])
		return group, protocol.ShardOf(group, shards), true
	}
	return "", 0, false
}

// queued notes where a copy of an event stands.
func (w *world) queued(s stored) {
	if _, _, emit := w.emitOf(s.d); emit {
		e := w.events[eventNumber(s.d.Body)]
		w.tell("event %d stands at %d", e.number, s.at)
		if e.first == 0 {
			e.first = s.at
		}
		e.last = s.at
	}
}
