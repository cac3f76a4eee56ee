package relay

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/membus"
	"belfry/pkg/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const self protocol.GatewayID = "gateway.test"

// sink notes what reaches the clients.
type sink struct {
	mu     sync.Mutex
	events []string // "group payload"
	gaps   []protocol.Group
	closed []protocol.CloseCode
	ended  []protocol.Disconnect
}

func (s *sink) Deliver(events []protocol.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range events {
		s.events = append(s.events, string(e.Group)+" "+string(e.Payload))
	}
}

func (s *sink) GapOf(_ protocol.ConnID, groups []protocol.Group) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gaps = append(s.gaps, groups...)
}

func (s *sink) Disconnect(d protocol.Disconnect) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = append(s.ended, d)
}

func (s *sink) CloseAll(code protocol.CloseCode, _ time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = append(s.closed, code)
}

// rig is a relay on a broker in memory, and a hand that plays the worker. It
// lives in a synctest bubble: time is virtual.
type rig struct {
	t      *testing.T
	broker *membus.Broker
	bus    amqpbus.Bus // the gateway's
	worker amqpbus.Bus
	pub    amqpbus.Publisher
	relay  *Relay
	sink   *sink
	shards int
}

// play runs a test in a bubble, with a started relay.
func play(t *testing.T, shards int, test func(t *testing.T, r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, broker: membus.New(), sink: &sink{}, shards: shards}
		r.bus, r.worker = r.broker.Open("gateway"), r.broker.Open("worker")
		r.must(r.worker.Declare(t.Context(), amqpbus.SharedTopology(amqpbus.Layout{Shards: shards})))
		var err error
		r.relay, err = New(Options{Bus: r.bus, Sink: r.sink, Gateway: self, Shards: shards, WorkerUsers: []string{"worker"}})
		r.must(err)
		r.pub, err = r.worker.OpenPublisher(t.Context(), 100)
		r.must(err)
		r.relay.Start()
		synctest.Wait()
		test(t, r)
		done, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = r.relay.Stop(done) // tests of stopping look at its error themselves
		_ = r.bus.Close(context.Background())
		_ = r.worker.Close(context.Background())
	})
}

// pass lets virtual time pass and everything settle.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// send publishes to the relay's reply queue as the worker.
func (r *rig) send(kind string, body []byte) { r.sendAs(r.pub, kind, body) }

func (r *rig) sendAs(pub amqpbus.Publisher, kind string, body []byte) {
	r.t.Helper()
	r.publish(pub, amqpbus.Message{Type: kind, Body: body})
}

// publish sends m to the relay's reply queue.
func (r *rig) publish(pub amqpbus.Publisher, m amqpbus.Message) {
	r.t.Helper()
	m.Exchange, m.Key, m.Mandatory = amqpbus.ExchangeReply, string(self), true
	outcome := make(chan error, 1)
	r.must(pub.Publish(r.t.Context(), m, func(err error) { outcome <- err }))
	r.must(<-outcome)
	synctest.Wait()
}

// take consumes what waits in a queue now.
func (r *rig) take(queue string) []amqpbus.Delivery {
	r.t.Helper()
	con, err := r.worker.OpenConsumer(r.t.Context(), amqpbus.ConsumerOptions{Queue: queue, Prefetch: 1000})
	r.must(err)
	defer func() { _ = con.Close() }()
	synctest.Wait()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Millisecond)
	defer cancel()
	ds, err := con.Receive(ctx, 1000)
	if err != nil {
		return nil
	}
	r.must(con.AckThrough(ds[len(ds)-1]))
	return ds
}

func ofType(ds []amqpbus.Delivery, kind string) []amqpbus.Delivery {
	var out []amqpbus.Delivery
	for _, d := range ds {
		if d.Type == kind {
			out = append(out, d)
		}
	}
	return out
}
