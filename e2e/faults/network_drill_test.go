//go:build drills

package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"belfry/e2e/harness"
	"belfry/e2e/load"
	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/rabbit"
	"belfry/pkg/protocol"
)

var (
	fair = harness.Weather{}
	held = harness.Weather{Hold: true}
)

// farGateway starts two gateways, the second of which reaches the broker through
// the proxy, and two workers.
func farGateway(t *testing.T, env ...string) (*harness.Installation, *harness.Proxy) {
	t.Helper()
	in := harness.Start(t, harness.Shape{Gateways: 1, Workers: 2, Shards: 1, GatewayEnv: env})
	p, url := in.Broker.Through(t)
	in.AddGateway(t, "gateway2", url)
	in.WaitReady(t, 20*time.Second)
	return in, p
}

// farWorker is the same with workers; the second, far one is active.
func farWorker(t *testing.T) (*harness.Installation, *harness.Proxy) {
	t.Helper()
	in := harness.Start(t, harness.Shape{Gateways: 2, Workers: 1, Shards: 1})
	p, url := in.Broker.Through(t)
	in.AddWorker(t, "worker2", url)
	in.WaitReady(t, 20*time.Second)
	in.Workers[0].Kill9()
	in.Workers[0].Restart(t)
	in.WaitReady(t, 20*time.Second)
	return in, p
}

// roles are those who can be far from the broker.
var roles = map[string]func(t *testing.T) (*harness.Installation, *harness.Proxy){
	"gateway": func(t *testing.T) (*harness.Installation, *harness.Proxy) { return farGateway(t) },
	"worker":  farWorker,
}

// steady is a load whose clients keep their groups.
func steady(t *testing.T, in *harness.Installation) *traffic { return start(t, in, in.LoadEmitter(t)) }

// far runs a drill for each role, under a load, once each event takes its own route.
func far(t *testing.T, begins func(*testing.T, *harness.Installation) *traffic, drill func(tr *traffic, p *harness.Proxy)) {
	for role, begin := range roles {
		t.Run(role, func(t *testing.T) {
			in, p := begin(t)
			tr := begins(t, in)
			in.AwaitLeaders(t)
			drill(tr, p)
		})
	}
}

// cutOff holds back what is said to the broker, from it, or both, for a while.
func (tr *traffic) cutOff(p *harness.Proxy, d time.Duration, to, from harness.Weather) {
	tr.t.Helper()
	at := time.Now()
	p.Set(to, from)
	tr.flow(d)
	p.Set(fair, fair)
	back := time.Now()
	tr.flow(16 * time.Second)
	tr.clean()
	tr.resumed("cut off", at, 15*time.Second)
	tr.served("back", back, 15*time.Second)
	tr.alive()
}

// nothingLost is for weather that is bad, but no fault.
func (tr *traffic) nothingLost() {
	tr.t.Helper()
	if r := tr.clean(); r.LostWithGap+r.LostAtClose+r.Unavailable != 0 {
		tr.t.Errorf("nothing broke, but events were lost or changes not made: %v", r)
	}
	for _, r := range tr.records {
		if r.Gaps() != 0 {
			tr.t.Errorf("%s was told of a gap", r.Name)
		}
	}
	tr.alive()
}

// TestDrillLatency: 200 ms in each direction.
func TestDrillLatency(t *testing.T) {
	far(t, steady, func(tr *traffic, p *harness.Proxy) {
		late := harness.Weather{Delay: 200 * time.Millisecond}
		p.Set(late, late)
		at := time.Now()
		tr.flow(30 * time.Second)
		p.Set(fair, fair)
		tr.flow(3 * time.Second)
		tr.nothingLost()
		tr.resumed("200 ms", at, 2*time.Second)
	})
}

// TestDrillNarrow: 64 kbit/s in each direction, less than the load.
func TestDrillNarrow(t *testing.T) {
	far(t, steady, func(tr *traffic, p *harness.Proxy) {
		narrow := harness.Weather{Rate: 8000}
		p.Set(narrow, narrow)
		tr.flow(40 * time.Second)
		p.Set(fair, fair)
		wide := time.Now()
		tr.flow(15 * time.Second)
		tr.clean()
		tr.served("wide again", wide, 15*time.Second)
		tr.alive()
	})
}

// TestDrillOneByte: every byte in a segment of its own.
func TestDrillOneByte(t *testing.T) {
	far(t, steady, func(tr *traffic, p *harness.Proxy) {
		bytes := harness.Weather{Segment: 1}
		p.Set(bytes, bytes)
		tr.flow(20 * time.Second)
		p.Set(fair, fair)
		tr.flow(3 * time.Second)
		tr.nothingLost()
	})
}

// TestDrillBlackHole: nothing goes through, and nobody is told.
func TestDrillBlackHole(t *testing.T) {
	for _, d := range []time.Duration{5 * time.Second, 20 * time.Second, 60 * time.Second} {
		t.Run(fmt.Sprint(d), func(t *testing.T) {
			far(t, steady, func(tr *traffic, p *harness.Proxy) { tr.cutOff(p, d, held, held) })
		})
	}
}

// TestDrillReset resets the links again and again.
func TestDrillReset(t *testing.T) {
	far(t, steady, func(tr *traffic, p *harness.Proxy) {
		last := time.Now()
		for range 10 {
			last = time.Now()
			p.Cut()
			tr.flow(3 * time.Second)
		}
		tr.flow(3 * time.Second)
		tr.clean()
		tr.served("reset for the last time", last, 5*time.Second)
		tr.alive()
	})
}

// TestDrillHalfOpen lets one end of the links forget them, while the other waits.
func TestDrillHalfOpen(t *testing.T) {
	forgets := map[string]func(*harness.Link){"the broker": (*harness.Link).CutServer, "the program": (*harness.Link).CutClient}
	for name, forget := range forgets {
		t.Run(name, func(t *testing.T) {
			far(t, steady, func(tr *traffic, p *harness.Proxy) {
				at := time.Now()
				for _, l := range p.Links() {
					l.Set(held, held)
					forget(l)
				}
				tr.flow(20 * time.Second)
				tr.clean()
				tr.resumed(name+" forgot", at, 15*time.Second)
				tr.served(name+" forgot", at, 15*time.Second)
				tr.alive()
			})
		})
	}
}

// constantly is a load whose clients change their groups.
func constantly(t *testing.T, in *harness.Installation) *traffic {
	return restless(t, in, 300*time.Millisecond)
}

// TestDrillOneWay holds back what is said in one direction, while groups change.
func TestDrillOneWay(t *testing.T) {
	for name, w := range map[string][2]harness.Weather{"to the broker": {held, fair}, "from the broker": {fair, held}} {
		t.Run(name, func(t *testing.T) {
			far(t, constantly, func(tr *traffic, p *harness.Proxy) { tr.cutOff(p, 20*time.Second, w[0], w[1]) })
		})
	}
}

// TestDrillStaleBytes holds back what a gateway says, resets its links, and lets
// the broker hear of the old groups after the new link has announced itself.
func TestDrillStaleBytes(t *testing.T) {
	in, p := farGateway(t, "BELFRY_LINGER=100ms")
	tr := constantly(t, in)
	in.AwaitLeaders(t)
	published := func() float64 {
		return in.Gateways[1].Metric(t, `belfry_gateway_interest_published_total{outcome="ok"}`)
	}
	for range 8 {
		old := p.Links()
		for _, l := range old {
			l.Set(held, fair)
		}
		tr.flow(1500 * time.Millisecond)
		before, cut := published(), time.Now()
		for _, l := range old {
			l.CutClient()
		}
		harness.Until(t, 10*time.Second, "the new link to announce itself", func() bool { return published() > before })
		t.Logf("the new link announced itself after %v", time.Since(cut))
		for _, l := range old {
			l.Set(fair, fair)
		}
		tr.flow(4 * time.Second)
	}
	tr.flow(3 * time.Second)
	tr.clean()
	tr.alive()
}

// TestDrillStorm changes the weather of everybody's link to the broker, and kills
// workers, as the seed will have it.
func TestDrillStorm(t *testing.T) {
	in := harness.Start(t, harness.Shape{Shards: 2})
	var links []*harness.Proxy
	for i := range 2 {
		p, url := in.Broker.Through(t)
		in.AddGateway(t, fmt.Sprintf("gateway%d", i+1), url)
		q, url := in.Broker.Through(t)
		in.AddWorker(t, fmt.Sprintf("worker%d", i+1), url)
		links = append(links, p, q)
	}
	in.WaitReady(t, 20*time.Second)
	tr := start(t, in, in.LoadEmitter(t))
	in.AwaitLeaders(t)
	rng := rand.New(rand.NewPCG(seed(t), 3))
	weathers := []harness.Weather{fair, fair, held, {Delay: 300 * time.Millisecond}, {Rate: 8000}}
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); {
		p := links[rng.IntN(len(links))]
		switch rng.IntN(6) {
		case 0:
			p.Cut()
		case 1:
			w := in.Workers[rng.IntN(len(in.Workers))]
			w.Kill9()
			w.Restart(t)
		default:
			p.Set(weathers[rng.IntN(len(weathers))], weathers[rng.IntN(len(weathers))])
		}
		tr.flow(time.Duration(rng.IntN(4000)) * time.Millisecond)
	}
	for _, p := range links {
		p.Set(fair, fair)
	}
	over := time.Now()
	tr.flow(20 * time.Second)
	tr.clean()
	tr.served("the storm over", over, 15*time.Second)
	tr.alive()
}

// TestDrillClientsNetwork gives the clients of one gateway all weathers in turn.
func TestDrillClientsNetwork(t *testing.T) {
	in := harness.Start(t, pairs)
	p := harness.StartProxy(t, in.Addr(0))
	s := seed(t)
	tr := &traffic{t: t, groups: groups()}
	for i := range clientCount {
		c := tr.client(in, i, s)
		c.Addrs = []string{p.Addr}
		c.Groups = []string{tr.groups[i%groupCount], tr.groups[(i+3)%groupCount], tr.groups[(i+7)%groupCount]}
	}
	tr.run(in.LoadEmitter(t), s)
	in.AwaitLeaders(t)
	for _, w := range []harness.Weather{{Delay: 200 * time.Millisecond}, {Rate: 8000}, {Segment: 1}, held} {
		p.Set(w, w)
		tr.flow(10 * time.Second)
		p.Set(fair, fair)
		tr.flow(5 * time.Second)
	}
	tr.nothingLost()
}

// TestDrillForgottenByNAT: the network forgets clients, which say nothing. The
// gateway finds out by their pongs, and reports each closed once.
func TestDrillForgottenByNAT(t *testing.T) {
	in := harness.Start(t, harness.Shape{Gateways: 1, Workers: 1, Shards: 1, GatewayEnv: []string{"BELFRY_PING_INTERVAL=2s"}})
	p := harness.StartProxy(t, in.Addr(0))
	closed := follow(t, in, "connection.closed")
	tr := start(t, in, in.LoadEmitter(t))
	c := &load.Client{Name: "forgotten", Addrs: []string{p.Addr}, Token: harness.TokenPhone, Groups: tr.groups}
	c.Start()
	<-c.Ready()
	tr.flow(5 * time.Second) // pings are answered
	p.Set(held, held)
	forgotten := time.Now()
	report := closed()
	took := time.Since(forgotten)
	t.Logf("closed after %v: %s", took, report.Reason)
	if string(report.User) != "9" || took > 10*time.Second {
		t.Errorf("after %v user %s was closed: %s; want 9 within 10 s", took, report.User, report.Reason)
	}
	tr.flow(10 * time.Second)
	p.Set(fair, fair) // the old bytes come late, and the client comes back
	harness.Until(t, 10*time.Second, "the client to come back", func() bool { return c.Connections() > 1 })
	c.Stop()
	if report = closed(); string(report.User) != "9" || report.Code != 1000 {
		t.Errorf("user %s was closed with %d: the next to end is the client's second connection", report.User, report.Code)
	}
	tr.nothingLost()
}

// follow reads the events of connections of one kind.
func follow(t *testing.T, in *harness.Installation, kind string) (next func() protocol.LifeReport) {
	t.Helper()
	bus, err := rabbit.Open(rabbit.Options{URL: in.Broker.URL(), Name: "e2e-follower"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bus.Close(context.Background()) })
	const queue = "e2e.follower"
	err = bus.Declare(t.Context(), amqpbus.Topology{
		Queues:   []amqpbus.Queue{{Name: queue}},
		Bindings: []amqpbus.Binding{{Exchange: amqpbus.ExchangeEvents, Queue: queue, Key: kind}},
	})
	if err != nil {
		t.Fatal(err)
	}
	con, err := bus.OpenConsumer(t.Context(), amqpbus.ConsumerOptions{Queue: queue, Prefetch: 1})
	if err != nil {
		t.Fatal(err)
	}
	return func() protocol.LifeReport {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		got, err := con.Receive(ctx, 1)
		if err != nil {
			t.Fatalf("wait for %s: %v", kind, err)
		}
		_ = con.AckThrough(got[0])
		report, err := protocol.Decode[protocol.LifeReport](got[0].Body)
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
}
