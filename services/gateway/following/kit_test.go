package following

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/membus"
	"belfry/pkg/amqpbus/trust"
	"belfry/pkg/eventlog"
	"belfry/pkg/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sink notes what reaches the clients.
type sink struct {
	mu  sync.Mutex
	got []string
}

func (s *sink) note(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, what)
}

func (s *sink) Deliver(events []protocol.Event) {
	for _, e := range events {
		s.note(string(e.Group) + " " + string(e.Payload))
	}
}

func (s *sink) GapOf(protocol.ConnID, []protocol.Group)           { s.note("gap") }
func (s *sink) CloseAll(code protocol.CloseCode, _ time.Duration) { s.note("close all") }

// take is what came since the last call.
func (s *sink) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.got
	s.got = nil
	return got
}

const self protocol.GatewayID = "gateway.test"

// rig is a driver on a broker in memory, and a hand that plays the leading worker.
type rig struct {
	t      *testing.T
	broker *membus.Broker
	bus    amqpbus.Bus
	driver *Driver
	sink   *sink
	worker amqpbus.Bus
	pub    amqpbus.Publisher
	mail   amqpbus.Consumer
	feed   uint64 // of the last hello
}

func play(t *testing.T, test func(r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, broker: membus.New(), sink: &sink{}}
		r.bus, r.worker = r.broker.Open("gateway"), r.broker.Open("worker")
		layout := amqpbus.Layout{Shards: 1}
		r.must(r.worker.Declare(t.Context(), amqpbus.SharedTopology(layout)))
		own := amqpbus.ReplyTopology(layout, protocol.WorkerID("w"))
		r.must(r.worker.Declare(t.Context(), own))
		var err error
		r.mail, err = r.worker.OpenConsumer(t.Context(), amqpbus.ConsumerOptions{Queue: amqpbus.ReplyQueue("w"), Prefetch: 1000})
		r.must(err)
		r.pub, err = r.worker.OpenPublisher(t.Context(), 100)
		r.must(err)
		r.driver, err = New(Options{
			Bus: r.bus, Sink: r.sink, Gateway: self, Layout: layout, Workers: trust.New("BELFRY_WORKER_USERS", []string{"worker"}, nil),
		})
		r.must(err)
		r.driver.Start()
		defer func() {
			_ = r.driver.Stop(context.Background()) // tests of stopping look at its error
			_ = r.bus.Close(context.Background())
			_ = r.worker.Close(context.Background())
		}()
		synctest.Wait()
		test(r)
	})
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// say publishes a message to the gateway as the worker.
func (r *rig) say(message any) { r.t.Helper(); r.sayBy(r.pub, message) }

func (r *rig) sayBy(pub amqpbus.Publisher, message any) {
	r.t.Helper()
	kind, body := eventlog.Encode(1, message)
	verdict := make(chan error, 1)
	m := amqpbus.Message{Exchange: amqpbus.ExchangeReply, Key: string(self), Type: kind, Mandatory: true, Body: body}
	r.must(pub.Publish(r.t.Context(), m, func(err error) { verdict <- err }))
	r.must(<-verdict)
	synctest.Wait()
}

// heard is what the gateway said to the worker since the last call.
func (r *rig) heard() []any {
	r.t.Helper()
	synctest.Wait()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Millisecond)
	defer cancel()
	deliveries, err := r.mail.Receive(ctx, 1000)
	if err != nil {
		return nil
	}
	var all []any
	for i := range deliveries {
		m, ours, err := eventlog.Decode(1, deliveries[i].Type, deliveries[i].Body)
		if err != nil || !ours {
			r.t.Fatalf("a %s: %v", deliveries[i].Type, err)
		}
		if h, hello := m.(eventlog.Hello); hello {
			r.feed = h.Feed
		}
		all = append(all, m)
	}
	r.must(r.mail.AckThrough(deliveries[len(deliveries)-1]))
	return all
}

// lead claims the log, and begins a feed at an offset.
func (r *rig) lead(offset int64) {
	r.t.Helper()
	r.say(eventlog.Claim{Leader: eventlog.Leader{Term: 1, Worker: "w"}})
	r.heard()
	r.batch(0, offset, offset)
}

func (r *rig) batch(rev uint64, from, to int64, events ...eventlog.Event) {
	r.t.Helper()
	r.say(r.batchOf(rev, from, to, events...))
}

func (r *rig) batchOf(rev uint64, from, to int64, events ...eventlog.Event) eventlog.Batch {
	return eventlog.Batch{
		Gateway: string(self), Feed: r.feed, Rev: rev, From: eventlog.Cursor{Offset: from}, To: eventlog.Cursor{Offset: to}, End: to, Events: events,
	}
}

func event(offset int64, group protocol.Group, payload string) eventlog.Event {
	return eventlog.Event{Offset: offset, Index: eventlog.LastIndex, Group: group, Payload: []byte(payload)}
}

// subscribe asks in the background; the channel brings its end.
func (r *rig) subscribe(ctx context.Context, conn protocol.ConnID, groups ...protocol.Group) <-chan error {
	end := make(chan error, 1)
	go func() {
		end <- r.driver.Subscribe(ctx, conn, groups, func() { r.sink.note("answer") })
	}()
	synctest.Wait()
	return end
}

// ended is how a subscription ended; it must have.
func (r *rig) ended(end <-chan error) error {
	r.t.Helper()
	synctest.Wait()
	select {
	case err := <-end:
		return err
	default:
		r.t.Fatal("the subscription has not ended")
		return nil
	}
}

func (r *rig) expect(want ...string) {
	r.t.Helper()
	synctest.Wait()
	if got := r.sink.take(); !slices.Equal(got, want) {
		r.t.Errorf("clients got %q, want %q", got, want)
	}
}
