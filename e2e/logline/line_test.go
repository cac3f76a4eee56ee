package logline

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
	"belfry/services/gateway/following"
	"belfry/services/worker/leading"
)

// patience bounds every wait for something that must happen: a fault costs a minute at most.
const patience = 90 * time.Second

// network is the way of buses to a broker, and what can happen to it.
type network interface {
	// open opens the bus of a process.
	open(t testing.TB, name string) amqpbus.Bus
	// cut ends the links of a bus, which comes back by itself.
	cut(b amqpbus.Bus)
	// away keeps a bus from the broker, for good.
	away(b amqpbus.Bus)
	// restart ends the broker without warning and starts it again a while later.
	restart(t testing.TB)
}

// line is the parts of an installation.
type line struct {
	t        testing.TB
	net      network
	layout   amqpbus.Layout
	workers  []*worker
	gateways []*gateway
	emitter  amqpbus.Bus
	emitted  map[protocol.Group]int
	lastConn protocol.ConnID
}

type worker struct {
	bus     amqpbus.Bus
	leading *leading.Leading
	dead    bool
}

type gateway struct {
	bus    amqpbus.Bus
	driver *following.Driver
	hub    *members
}

func newLine(t testing.TB, n network, shards, workers, gateways int) *line {
	l := &line{t: t, net: n, layout: amqpbus.Layout{Shards: shards}, emitted: map[protocol.Group]int{}}
	l.emitter = n.open(t, "emitter")
	l.declare()
	for i := range workers {
		l.addWorker(i + 1)
	}
	for i := range gateways {
		l.addGateway(i + 1)
	}
	return l
}

// declare makes what the line needs: the logs and the exchanges of replies.
func (l *line) declare() {
	l.t.Helper()
	t := amqpbus.LogTopology(l.layout)
	shared := amqpbus.SharedTopology(l.layout)
	t.Exchanges = append(t.Exchanges, shared.Exchanges...)
	for _, name := range []string{amqpbus.QueueDead, amqpbus.QueueQuestions} {
		t.Queues = append(t.Queues, shared.Of(name).Queues...)
		t.Bindings = append(t.Bindings, shared.Of(name).Bindings...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := l.emitter.Declare(ctx, t); err != nil {
		l.t.Fatal(err)
	}
}

func (l *line) addWorker(number int) {
	w := &worker{bus: l.net.open(l.t, fmt.Sprintf("worker%d", number))}
	var err error
	w.leading, err = leading.New(leading.Options{
		Bus: w.bus, Worker: protocol.WorkerID(fmt.Sprintf("worker%d.x", number)), Layout: l.layout,
		Gateways: anybody(), Workers: anybody(),
	})
	if err != nil {
		l.t.Fatal(err)
	}
	w.leading.Start()
	l.workers = append(l.workers, w)
}

func (l *line) addGateway(number int) {
	g := &gateway{bus: l.net.open(l.t, fmt.Sprintf("gateway%d", number)), hub: newMembers(l.t)}
	var err error
	g.driver, err = following.New(following.Options{
		Bus: g.bus, Sink: g.hub, Gateway: protocol.GatewayID(fmt.Sprintf("gateway%d.x", number)), Layout: l.layout,
		Workers: anybody(),
	})
	if err != nil {
		l.t.Fatal(err)
	}
	g.driver.Start()
	l.gateways = append(l.gateways, g)
}

// stop ends all parts; the buses are closed by who opened them.
func (l *line) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, g := range l.gateways {
		_ = g.driver.Stop(ctx) // a bus may be away
	}
	for _, w := range l.workers {
		if err := w.leading.Stop(ctx); err != nil && !w.dead {
			l.t.Error(err)
		}
	}
}

// leader waits until exactly one living worker leads a log, and returns it.
func (l *line) leader(log int) *worker {
	l.t.Helper()
	var found *worker
	l.until(fmt.Sprintf("one worker leads log %d", log), func() bool {
		n := 0
		for _, w := range l.workers {
			for _, led := range w.leading.Leads() {
				if led == log && !w.dead {
					found = w
					n++
				}
			}
		}
		return n == 1
	})
	return found
}

// join adds a member of groups at a gateway, and waits until it is one.
func (l *line) join(g *gateway, groups ...protocol.Group) *member {
	l.t.Helper()
	l.lastConn++
	m := g.hub.add(l.lastConn)
	g.driver.Open(m.conn)
	l.change(g, m, groups...)
	return m
}

// change gives a member other groups; while it cannot be done it tries again, as a
// client does.
func (l *line) change(g *gateway, m *member, groups ...protocol.Group) {
	l.t.Helper()
	var last error
	end := time.Now().Add(patience)
	for time.Now().Before(end) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		last = g.driver.Subscribe(ctx, m.conn, groups, func() { g.hub.set(m, groups, l.emitted) })
		cancel()
		if last == nil {
			return
		}
	}
	l.t.Fatalf("no answer to a subscription within %s: %v", patience, last)
}

// until waits for something that no event announces.
func (l *line) until(what string, ok func() bool) {
	l.t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-late.C:
			l.t.Fatalf("waited %s in vain: %s", patience, what)
		}
	}
}

// ids draws message ids that no other emit has.
var ids atomic.Uint64
