package sim

import (
	"strconv"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
	"belfry/services/gateway/relay/continuity"
	"belfry/services/gateway/relay/interest"
)

// gateway is a gateway process: the continuity of what it gets, its interest in
// each shard, and the browsers that are connected to it.
type gateway struct {
	process
	w     *world
	id    protocol.GatewayID
	cont  *continuity.Core
	cores []*interest.Core

	voice *channel // interest, snapshots, stale answers
	links uint64
	again time.Duration // when the voice is opened anew
	asked []protocol.Reign
	stale []amqpbus.Message

	sub    *subscription
	acks   *wire
	listen time.Duration // when the reply queue is consumed anew

	browsers []*browser
	joins    []*join
	leaving  bool // it has said bye
}

func (w *world) newGateway() *gateway {
	w.names++
	name := "gateway-" + strconv.Itoa(w.names)
	g := &gateway{process: process{name: name}, w: w, id: protocol.GatewayID(name + ".x")}
	g.cont = continuity.New(continuity.Options{Gateway: g.id, Shards: len(w.broker.shards)})
	for shard := range w.broker.shards {
		g.cores = append(g.cores, interest.New(interest.Options{
			Gateway: g.id, Shards: len(w.broker.shards), Shard: shard, Linger: time.Duration(1+w.rnd.IntN(5)) * time.Second,
		}))
	}
	g.cont.Tick(g.time())
	g.consume()
	g.speak()
	return g
}

func (g *gateway) time() time.Time { return epoch.Add(g.w.now) }

// consume opens the reply queue.
func (g *gateway) consume() {
	q, resumed := g.w.broker.declare(string(g.id))
	if len(q.consumers) > 0 {
		g.listen = g.w.now + 500*time.Millisecond // it is locked: the old link still lives
		return
	}
	g.w.tell("%s consumes, its queue was there: %t", g.id, resumed)
	g.cont.Tick(g.time())
	g.cont.LinkUp(resumed)
	acks := g.w.wire(nil)
	var sub *subscription
	sub = g.w.broker.subscribe(q, replyPrefetch, &g.process, func(d amqpbus.Delivery) {
		if g.sub != sub {
			return
		}
		g.read(d)
		acks.send(func() { sub.ack(g.w, d.Tag) })
	})
	g.sub, g.acks = sub, acks
}

// deaf is the process noticing that its consumer is gone.
func (g *gateway) deaf(sub *subscription) {
	if g.sub != sub {
		return
	}
	sub.out.drop()
	g.acks.drop()
	g.sub = nil
	g.cont.LinkLost()
	g.listen = g.w.now + time.Duration(100+g.w.rnd.IntN(2000))*time.Millisecond
}

// speak opens the publishing channel.
func (g *gateway) speak() {
	var c *channel
	c = g.w.channel(&g.process, gatewayUser, func() { g.mute(c) })
	g.voice = c
	g.links++
	for _, core := range g.cores {
		core.NewLink(g.time(), g.links)
	}
}

// mute is the process noticing that its publishing channel is gone.
func (g *gateway) mute(c *channel) {
	if g.voice != c {
		return
	}
	g.voice = nil
	for _, core := range g.cores {
		core.LinkLost()
	}
	g.again = g.w.now + time.Duration(100+g.w.rnd.IntN(500))*time.Millisecond
}

// read takes a message of the reply queue and does what follows.
func (g *gateway) read(d amqpbus.Delivery) {
	switch d.Type {
	case protocol.TypeBatch:
		b := must(protocol.DecodeBatch(d.Body))
		g.w.tell("%s reads batch %d/%d of shard %d, epoch %d of %s: %d events", g.id, b.Mode, b.Sequence, b.Shard, b.Epoch, b.Worker, len(b.Events))
		g.w.spoil(g, &b)
		check(g.cont.Batch(b))
	case protocol.TypePulse:
		check(g.cont.Pulse(must(protocol.Decode[protocol.Pulse](d.Body))))
	case protocol.TypeAsk:
		g.w.tell("%s is asked: %s", g.id, d.Body)
		check(g.cont.Ask(must(protocol.Decode[protocol.Ask](d.Body))))
	case protocol.TypeGap:
		check(g.cont.Gap(must(protocol.Decode[protocol.Gap](d.Body))))
	}
	g.perform()
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// perform does what the continuity core wants.
func (g *gateway) perform() {
	for _, e := range g.cont.Effects() {
		switch e.Kind {
		case continuity.EffectDeliver:
			for i := range e.Events {
				g.fanOut(&e.Events[i])
			}
		case continuity.EffectGap:
			g.gap(func(group protocol.Group) bool { return contains(e.Groups, group) })
		case continuity.EffectGapShard:
			g.gap(func(group protocol.Group) bool { return g.shardOf(group) == e.Shard })
		case continuity.EffectCloseAll:
			g.w.tell("%s closes all", g.id)
			for _, b := range g.browsers {
				b.disconnect()
			}
		case continuity.EffectStale:
			g.stale = append(g.stale, amqpbus.Message{
				Exchange: amqpbus.ExchangeReply, Key: string(e.Stale.Refused.Worker), Type: protocol.TypeStale,
				Mandatory: true, Body: protocol.Encode(e.Stale),
			})
		case continuity.EffectSnapshot:
			g.asked = append(g.asked, e.Reign)
		}
	}
}

func (g *gateway) shardOf(group protocol.Group) int {
	return protocol.ShardOf(group, len(g.cores))
}

func (g *gateway) fanOut(e *protocol.Event) {
	for _, b := range g.browsers {
		if m := b.groups[e.Group]; m != nil {
			g.w.account.event(b, m, e)
		}
	}
}

func (g *gateway) gap(of func(protocol.Group) bool) {
	g.w.account.declared++
	g.w.tell("%s declares a gap", g.id)
	for _, b := range g.browsers {
		for _, group := range b.list {
			if of(group) {
				g.w.account.gap(b.groups[group])
			}
		}
	}
}

// tick lets time pass for the whole process.
func (g *gateway) tick() {
	g.cont.Blocked(g.w.broker.blocked)
	g.cont.Tick(g.time())
	g.perform()
	if g.sub == nil && g.w.now >= g.listen {
		g.consume()
	}
	if g.voice == nil && g.w.now >= g.again {
		g.speak()
	}
	g.giveUp()
	g.announce()
}

// announce publishes what the interest cores want, then snapshots, then stale answers.
func (g *gateway) announce() {
	if g.voice == nil {
		return
	}
	c := g.voice
	for shard, core := range g.cores {
		for _, e := range core.Effects(g.time()) {
			c.publish(e.Message, func(err error) {
				if g.voice == c {
					g.settled(shard, core.Settled(g.time(), e, err))
				}
			})
		}
	}
	for _, reign := range g.asked {
		for _, e := range g.cores[reign.Shard].Snapshot(reign) {
			c.publish(e.Message, func(error) {})
		}
	}
	for _, m := range g.stale {
		c.publish(m, func(error) {})
	}
	g.asked, g.stale = nil, nil
}

// announced is a worker's word on belfry.events. A gateway whose queue is there
// is not lost (R12).
func (w *world) announced(m amqpbus.Message) {
	report := must(protocol.Decode[protocol.LifeReport](m.Body))
	if w.broker.replies[string(report.Gateway)] != nil {
		w.violate("%s was announced as lost, and its queue is there", report.Gateway)
	}
}
