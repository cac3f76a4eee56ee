package sim

import (
	"slices"
	"strconv"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/trust"
	"belfry/pkg/protocol"
	"belfry/services/worker/router"
)

const (
	workerUser  = "worker"
	gatewayUser = "gateway"

	shardPrefetch = 60
	replyPrefetch = 20
	presenceEvery = 2 * time.Second
)

// worker is a worker process: a core for each shard, a reply queue, and
// somebody who reads what expired.
type worker struct {
	process
	w    *world
	id   protocol.WorkerID
	skew time.Duration // of its clock
	runs []*turn       // by shard

	mail     *subscription
	mailAcks *wire
	voice    *channel // presence and gaps of what expired
	told     time.Duration
	telling  bool          // a gap of expired emits is not confirmed
	retell   time.Duration // when a refused gap is published again
}

// turn is a shard's core with the life of its links.
type turn struct {
	k     *worker
	shard int
	core  *router.Core
	up    bool
	life  int // counts openings: what belongs to an earlier one is ignored
	sub   *subscription
	acks  *wire
	pub   *channel
	again time.Duration // when it is opened anew
	left  bool          // it drains, and closes when idle
}

func (w *world) newWorker() *worker {
	w.names++
	name := "worker-" + strconv.Itoa(w.names)
	k := &worker{process: process{name: name}, w: w, id: protocol.WorkerID(name + ".x")}
	k.skew = time.Duration(w.rnd.Int64N(int64(2*w.skew))) - w.skew
	for shard := range w.broker.shards {
		t := &turn{k: k, shard: shard, core: router.NewCore(router.CoreOptions{
			Worker: k.id, Shards: len(w.broker.shards), Shard: shard,
			Users: router.Users{Gateways: trust.New("BELFRY_GATEWAY_USERS", []string{gatewayUser}, nil), Workers: trust.New("BELFRY_WORKER_USERS", []string{workerUser}, nil)},
		})}
		k.runs = append(k.runs, t)
	}
	k.openMail()
	for _, t := range k.runs {
		t.open()
	}
	return k
}

func (k *worker) time() time.Time { return epoch.Add(k.w.now + k.skew) }

// openMail opens the reply queue.
func (k *worker) openMail() {
	q, _ := k.w.broker.declare(string(k.id))
	acks := k.w.wire(nil)
	var sub *subscription
	sub = k.w.broker.subscribe(q, replyPrefetch, &k.process, func(d amqpbus.Delivery) {
		k.read(d)
		acks.send(func() { sub.ack(k.w, d.Tag) })
	})
	k.mail, k.mailAcks = sub, acks
}

// read takes a message of the reply queue.
func (k *worker) read(d amqpbus.Delivery) {
	switch d.Type {
	case protocol.TypeSnapshot:
		m := must(protocol.Decode[protocol.Snapshot](d.Body))
		k.runs[m.Reign.Shard].core.Snapshot(m)
	case protocol.TypeStale:
		m := must(protocol.Decode[protocol.Stale](d.Body))
		k.runs[m.Highest.Shard].core.Stale(m)
	case protocol.TypePresence:
		m := must(protocol.Decode[protocol.Presence](d.Body))
		if m.Worker == k.id {
			return
		}
		for _, r := range m.Shards {
			k.runs[r.Shard].core.Seen(r.Epoch)
		}
	}
	k.perform()
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// tick lets time pass for the whole process.
func (k *worker) tick() {
	for _, t := range k.runs {
		if !t.up && !t.left && k.w.now >= t.again {
			t.open()
		}
		t.core.Blocked(k.w.broker.blocked)
		t.core.Tick(k.time())
	}
	k.perform()
	if k.mail.ended && !k.w.broker.blocked {
		k.openMail()
	}
	k.speak()
}

// speak tells the presence, and the gaps of what expired (R10).
func (k *worker) speak() {
	if k.voice == nil {
		k.voice = k.w.channel(&k.process, workerUser, func() { k.telling = false; k.voice = nil })
	}
	if k.w.now-k.told >= presenceEvery {
		k.told = k.w.now
		m := protocol.Presence{Worker: k.id, Shards: []protocol.Reign{}}
		for _, t := range k.runs {
			if r, ok := t.core.Reign(); ok {
				m.Shards = append(m.Shards, r)
			}
		}
		k.voice.publish(amqpbus.Message{
			Exchange: amqpbus.ExchangeReplyAll, Type: protocol.TypePresence, Body: protocol.Encode(m),
		}, func(error) {})
	}
	if len(k.w.broker.expired) == 0 || k.telling || k.w.now < k.retell || k.w.reader() != k {
		return
	}
	d := k.w.broker.expired[0]
	group, shard, emit := k.w.emitOf(*d)
	if !emit {
		k.w.broker.expired = k.w.broker.expired[1:]
		return
	}
	k.telling = true
	k.voice.publish(amqpbus.Message{
		Exchange: amqpbus.ExchangeReplyAll, Type: protocol.TypeGap,
		Body: protocol.Encode(protocol.Gap{Shard: shard, Groups: []protocol.Group{group}}),
	}, func(err error) {
		k.telling = false
		if err == nil {
			k.w.tell("%s: a gap of %s, an emit expired", k.id, group)
			k.w.broker.expired = slices.DeleteFunc(k.w.broker.expired, func(other *amqpbus.Delivery) bool { return other == d })
			return
		}
		k.retell = k.w.now + time.Second
	})
}

// open begins a life of the shard's links.
func (t *turn) open() {
	w := t.k.w
	t.life++
	life := t.life
	t.up = true
	t.acks = w.wire(nil)
	t.pub = w.channel(&t.k.process, workerUser, func() { t.end(life) })
	t.sub = w.broker.subscribe(w.broker.shards[t.shard], shardPrefetch, &t.k.process, func(d amqpbus.Delivery) {
		if t.life != life || !t.up {
			return
		}
		t.core.Deliver([]amqpbus.Delivery{d})
		if w.broken.ackEarly {
			sub := t.sub
			t.acks.send(func() { sub.ack(w, d.Tag) })
		}
		t.perform()
	})
	t.core.Tick(t.k.time())
}

// end is the process noticing that one of the shard's links is gone, or giving
// the shard back: both links are closed, in order behind what was sent.
func (t *turn) end(life int) {
	if t.life != life || !t.up {
		return
	}
	w, sub := t.k.w, t.sub
	t.up = false
	t.pub.close()
	t.acks.send(func() { w.broker.end(sub) })
	t.acks.leak()
	sub.out.drop()
	t.core.LinkLost()
	t.again = w.now + time.Duration(100+w.rnd.IntN(200))*time.Millisecond
}

// giveBack finishes what was delivered, then closes (R8).
func (t *turn) giveBack() {
	if !t.up || t.left {
		return
	}
	t.left = true
	// What is on its way here is not taken any more.
	t.sub.out.drop()
	t.core.Drain()
	t.perform()
}

func (k *worker) perform() {
	for _, t := range k.runs {
		t.perform()
	}
}

// perform does what the core wants.
func (t *turn) perform() {
	life := t.life
	for _, e := range t.core.Effects() {
		switch e.Kind {
		case router.EffectReopen:
			t.k.w.tell("%s gives shard %d back", t.k.id, t.shard)
			t.end(life)
			return
		case router.EffectAck:
			sub, tag := t.sub, e.Tag
			if !t.k.w.broken.ackEarly {
				t.acks.send(func() { sub.ack(t.k.w, tag) })
			}
		case router.EffectPublish:
			id := e.ID
			t.pub.publish(e.Message, func(err error) {
				if t.life == life && t.up {
					t.core.Settled(id, err)
					t.perform()
				}
			})
		}
	}
	if t.left && t.up && t.core.Idle() {
		t.k.w.tell("%s has finished shard %d", t.k.id, t.shard)
		t.end(life)
	}
}
