package router

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/trust"
	"belfry/pkg/protocol"
)

// world is a shard's queue, a worker's core and some gateways, single-threaded,
// with faults from a seed: refused and late publishes, full reply queues, lost
// links, frozen workers whose frames arrive late, dead gateways. Every event
// that a gateway is owed must arrive once and in order, or a gap is declared.
type world struct {
	t   *testing.T
	rnd *rand.Rand
	now time.Time

	core    *Core
	worker  protocol.WorkerID
	workers int
	skew    time.Duration // of this worker's clock
	tag     uint64
	unacked []amqpbus.Delivery // by tag
	queue   []amqpbus.Delivery

	air     []Effect  // published, not at the broker
	told    []outcome // the broker's verdicts, on their way to the worker
	ghosts  []Effect  // what a worker before left in the air
	stalled bool      // no verdict gets through

	gateways []*fake
	events   int
	ticks    int
}

// story is told when one seed is replayed.
func (w *world) story(format string, args ...any) {
	if *replay != 0 {
		w.t.Logf("%s "+format, append([]any{w.now.Format("05.0")}, args...)...)
	}
}

type outcome struct {
	id  uint64
	err error
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, rnd: rand.New(rand.NewPCG(seed, 2)), now: time.UnixMilli(1_000_000)}
	for i := range 3 {
		g := newFake(protocol.GatewayID(fmt.Sprintf("gw-%d.x", i)))
		g.story = w.story
		w.gateways = append(w.gateways, g)
	}
	w.newWorker()
	return w
}

func (w *world) newWorker() {
	w.workers++
	w.worker = protocol.WorkerID(fmt.Sprintf("worker-%d.x", w.workers))
	w.core = NewCore(CoreOptions{
		Worker: w.worker, Shards: 1,
		Users:  Users{Gateways: trust.New("BELFRY_GATEWAY_USERS", []string{gatewayUser}, nil), Workers: trust.New("BELFRY_WORKER_USERS", []string{workerUser}, nil)},
		Timing: Timing{Heartbeat: time.Second, Confirm: 3 * time.Second, Pulse: 500 * time.Millisecond},
	})
	w.skew = time.Duration(w.rnd.IntN(120)-60) * time.Second
	w.core.Tick(w.now.Add(w.skew))
	w.story("%s begins, its clock is wrong by %s", w.worker, w.skew)
}

// step does one thing; faults may be among them.
func (w *world) step(faults bool) {
	w.t.Helper()
	switch n := w.rnd.IntN(100); {
	case n < 20:
		w.emit()
	case n < 40:
		w.deliver()
	case n < 60:
		w.reach(1 + w.rnd.IntN(4))
	case n < 75:
		w.tell(1 + w.rnd.IntN(4))
	case n < 82:
		w.mail()
	case n < 92:
		w.tick()
	case n < 95:
		w.change()
	case faults:
		w.fault()
	}
	w.collect()
}

func (w *world) fault() {
	g := w.gateways[w.rnd.IntN(len(w.gateways))]
	switch n := w.rnd.IntN(40); {
	case n < 10:
		g.full = !g.full
		w.story("the queue of %s is full: %t", g.id, g.full)
	case n < 14:
		w.stalled = !w.stalled
		w.story("verdicts are held back: %t", w.stalled)
	case n < 18:
		w.core.LinkLost()
		w.handBack()
	case n < 21: // another worker takes over; what this one sent is not yet there
		w.ghosts = append(w.ghosts, w.air...)
		w.handBack()
		w.newWorker()
	case n < 23:
		w.core.Blocked(true)
		for range 30 {
			w.tick()
		}
		w.core.Blocked(false)
	case n < 24 && !w.gateways[0].dead:
		w.gateways[0].dead = true
	case n < 34 && len(w.ghosts) > 0:
		_ = w.arrive(w.ghosts[0].Message) // nobody is there to be told
		w.ghosts = w.ghosts[1:]
	}
}

// handBack ends the link: what is not acked goes back, in order.
func (w *world) handBack() {
	w.story("the link of %s ends, %d not acked", w.worker, len(w.unacked))
	w.air, w.told, w.tag = nil, nil, 0
	w.queue = append(w.unacked, w.queue...)
	w.unacked = nil
}

func (w *world) emit() {
	w.events++
	group := protocol.Group(fmt.Sprintf("g-%d", w.rnd.IntN(6)))
	d := emitOf(group, fmt.Sprint(w.events), `1`)
	d.UserID = "backend"
	w.queue = append(w.queue, d)
	for _, g := range w.gateways {
		if g.groups[group] {
			g.owed[w.events] = group
		}
	}
}

func (w *world) enqueue(user, kind, id string, body []byte) {
	w.queue = append(w.queue, amqpbus.Delivery{
		Message: amqpbus.Message{Exchange: amqpbus.InterestExchange(1), Key: "0", Type: kind, ID: id, Body: body},
		UserID:  user,
	})
}

// change lets a gateway join or leave a group.
func (w *world) change() {
	g := w.gateways[w.rnd.IntN(len(w.gateways))]
	if g.dead {
		return
	}
	w.enqueue(gatewayUser, protocol.TypeInterest, "", protocol.Encode(g.change(protocol.Group(fmt.Sprintf("g-%d", w.rnd.IntN(6))))))
}

func (w *world) deliver() {
	n := min(len(w.queue), 1+w.rnd.IntN(8), 60-len(w.unacked))
	if n <= 0 {
		return
	}
	pack := slices.Clone(w.queue[:n])
	w.queue = w.queue[n:]
	for i := range pack {
		w.tag++
		pack[i].Tag = w.tag
	}
	w.unacked = append(w.unacked, pack...)
	w.core.Deliver(pack)
}

func (w *world) collect() {
	w.t.Helper()
	for _, e := range w.core.Effects() {
		switch e.Kind {
		case EffectPublish:
			w.air = append(w.air, e)
		case EffectAck:
			i := slices.IndexFunc(w.unacked, func(d amqpbus.Delivery) bool { return d.Tag == e.Tag })
			if i < 0 {
				w.t.Fatalf("ack through %d, which is not outstanding", e.Tag)
			}
			w.story("%s acks %d: through %s", w.worker, e.Tag, w.unacked[i].ID)
			w.unacked = w.unacked[i+1:]
		case EffectReopen:
			w.story("%s gives the shard back", w.worker)
			w.core.LinkLost()
			w.handBack()
			return
		}
	}
}

// reach lets publishes arrive at the broker, in order.
func (w *world) reach(n int) {
	for ; n > 0 && len(w.air) > 0; n-- {
		e := w.air[0]
		w.air = w.air[1:]
		w.told = append(w.told, outcome{e.ID, w.arrive(e.Message)})
	}
}

// arrive is the broker: it stores a message and gives its verdict.
func (w *world) arrive(m amqpbus.Message) (verdict error) {
	switch m.Exchange {
	case amqpbus.InterestExchange(1):
		w.enqueue(workerUser, m.Type, m.ID, m.Body)
	case amqpbus.ExchangeReply:
		i := slices.IndexFunc(w.gateways, func(g *fake) bool { return string(g.id) == m.Key })
		if w.gateways[i].dead {
			return fmt.Errorf("publish: %w", amqpbus.ErrUnroutable)
		}
		return w.gateways[i].receive(m)
	case amqpbus.ExchangeReplyAll:
		for _, g := range w.gateways {
			if !g.dead {
				if err := g.receive(m); err != nil {
					verdict = err
				}
			}
		}
	}
	return verdict
}

func (w *world) tell(n int) {
	for ; n > 0 && len(w.told) > 0 && !w.stalled; n-- {
		o := w.told[0]
		w.told = w.told[1:]
		if o.err != nil {
			w.story("%s is told: %v", w.worker, o.err)
		}
		w.core.Settled(o.id, o.err)
	}
}

// mail brings gateways' answers to the worker that they are for.
func (w *world) mail() {
	for _, g := range w.gateways {
		if len(g.answers) == 0 {
			continue
		}
		next := g.answers[0]
		g.answers = g.answers[1:]
		switch a := next.(type) {
		case protocol.Snapshot:
			if a.Reign.Worker == w.worker {
				w.core.Snapshot(a)
			}
		case protocol.Stale:
			if a.Refused.Worker == w.worker {
				w.core.Stale(a)
			}
		}
		w.collect()
	}
}

func (w *world) tick() {
	w.ticks++
	w.now = w.now.Add(100 * time.Millisecond)
	w.core.Tick(w.now.Add(w.skew))
	for i, g := range w.gateways {
		if !g.dead && w.ticks%10 == i {
			w.enqueue(gatewayUser, protocol.TypeHeartbeat, "", protocol.Encode(g.heartbeat()))
		}
	}
}

// settle ends the faults and lets everything come to rest.
func (w *world) settle() {
	w.t.Helper()
	w.stalled, w.ghosts = false, nil
	for _, g := range w.gateways {
		g.full = false
	}
	for range 300 {
		w.tick()
		w.collect()
		for range 3 {
			w.deliver()
			w.collect()
			w.reach(len(w.air))
			w.tell(len(w.told))
			w.collect()
			w.mail()
		}
	}
	if len(w.queue) > 60 || len(w.unacked) > 60 {
		w.t.Fatalf("%d messages wait and %d are not acked", len(w.queue), len(w.unacked))
	}
	live := 0
	for _, g := range w.gateways {
		if !g.dead {
			live++
			g.check(w.t)
		}
	}
	if s := w.core.Stats(); s.Lagging != 0 || s.Unsynced != 0 || s.Flooding || s.Gateways != live || s.Unacked > 3 {
		w.t.Fatalf("the core did not come to rest: %+v, %d gateways live", s, live)
	}
}

func TestWorld(t *testing.T) {
	runs, first := uint64(60), rand.Uint64()
	if os.Getenv("BELFRY_TEST_FULL") != "" { // make verify
		runs = 400
	}
	if *replay != 0 {
		runs, first = 1, *replay
	}
	for i := range runs {
		seed := first + i
		ok := t.Run("", func(t *testing.T) {
			defer func() {
				if t.Failed() {
					t.Logf("replay with -router.seed=%d", seed)
				}
			}()
			w := newWorld(t, seed)
			for range 2 {
				for range 1000 {
					w.step(true)
				}
				w.settle()
			}
		})
		if !ok {
			return
		}
	}
}

// Without faults there is no gap and no duplicate at all.
func TestWorldWithoutFaults(t *testing.T) {
	first := rand.Uint64()
	for i := range uint64(20) {
		w := newWorld(t, first+i)
		for range 3000 {
			w.step(false)
		}
		w.settle()
		for _, g := range w.gateways {
			if g.gaps != 0 || g.doubles != 0 {
				t.Fatalf("seed %d: %s had %d gaps and %d duplicates", first+i, g.id, g.gaps, g.doubles)
			}
		}
		if s := w.core.Stats(); s.Lagged != 0 || s.Epochs != 1 || s.Emits != uint64(w.events) {
			t.Fatalf("seed %d: %+v after %d events", first+i, s, w.events)
		}
	}
}
