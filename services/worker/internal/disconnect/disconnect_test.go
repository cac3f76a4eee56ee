package disconnect

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/membus"
	"belfry/pkg/amqpbus/trust"
	"belfry/pkg/protocol"
	"belfry/services/worker/internal/confirm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a broker in memory with a small reply queue of a gateway, and a worker. It runs in
// a synctest bubble.
type rig struct {
	*testing.T
	bus     amqpbus.Bus
	out     *confirm.Publisher
	metrics *Metrics
	orders  *Orders
	broker  *membus.Broker

	gateways, workers *trust.Users
}

const room = 2 // messages that the gateway's queue takes

func play(t *testing.T, test func(r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		broker := membus.New()
		r := &rig{T: t, bus: broker.Open("any"), metrics: NewMetrics(nil), broker: broker}
		r.gateways = trust.New("BELFRY_GATEWAY_USERS", []string{"gateway"}, zap.NewNop())
		r.workers = trust.New("BELFRY_WORKER_USERS", []string{"any"}, zap.NewNop())
		r.must(r.bus.Declare(t.Context(), amqpbus.SharedTopology(amqpbus.Layout{Shards: 1})))
		reply := amqpbus.ReplyTopology(amqpbus.Layout{Shards: 1}, protocol.GatewayID("g.1"))
		reply.Queues[0].MaxLength = room
		r.must(r.bus.Declare(t.Context(), reply))
		r.out = confirm.NewPublisher(r.bus)
		r.orders = New(Options{Bus: r.bus, Publisher: r.out, Worker: "w.1", Logger: zap.NewNop(), Metrics: r.metrics, GatewayUsers: r.gateways, WorkerUsers: r.workers})
		r.orders.Start()
		test(r)
		r.must(r.orders.Stop(context.Background()))
		_ = r.out.Close()
		_ = r.bus.Close(context.Background())
	})
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) order(body string) {
	r.Helper()
	r.must(r.out.Send(r.Context(), amqpbus.Message{Exchange: amqpbus.ExchangeDisconnect, Mandatory: true, Body: []byte(body)}))
	synctest.Wait()
}

// drain consumes and returns all messages of a queue.
func (r *rig) drain(queue string) []amqpbus.Delivery {
	r.Helper()
	con, err := r.bus.OpenConsumer(r.Context(), amqpbus.ConsumerOptions{Queue: queue, Prefetch: 100})
	r.must(err)
	defer func() { r.must(con.Close()) }()
	ctx, cancel := context.WithTimeout(r.Context(), time.Millisecond)
	defer cancel()
	var out []amqpbus.Delivery
	for {
		pack, err := con.Receive(ctx, 100)
		if errors.Is(err, context.DeadlineExceeded) {
			return out
		}
		r.must(err)
		r.must(con.AckThrough(pack[len(pack)-1]))
		out = append(out, pack...)
	}
}

func TestOrderReachesGateways(t *testing.T) {
	play(t, func(r *rig) {
		r.order(`{"user": 7, "session": "s"}`)
		got := r.drain(amqpbus.ReplyQueue("g.1"))
		if len(got) != 1 || got[0].Type != protocol.TypeDisconnect || string(got[0].Body) != `{"user":"7","session":"s"}` || got[0].ReplyTo != "w.1" || got[0].ID == "" {
			t.Fatalf("the gateway got %+v", got)
		}
	})
}

// TestInvalidOrderIsParked: it is parked with the reason and without its body, and the next
// order is handled.
func TestInvalidOrderIsParked(t *testing.T) {
	play(t, func(r *rig) {
		r.order(`{"user": 7, "sesion": "s"}`)
		r.order(`{"user": 8}`)
		dead := r.drain(amqpbus.QueueDead)
		if len(dead) != 1 || len(dead[0].Body) != 0 || dead[0].Headers["reason"] == "" || dead[0].Headers["origin"] != amqpbus.QueueDisconnect {
			t.Errorf("parked %+v", dead)
		}
		if got := r.drain(amqpbus.ReplyQueue("g.1")); len(got) != 1 || string(got[0].Body) != `{"user":"8"}` {
			t.Errorf("the gateway got %+v", got)
		}
	})
}

// TestFullGatewayGetsOrderLater: an order that a gateway's full queue refuses is sent again
// and does not delay other orders.
func TestFullGatewayGetsOrderLater(t *testing.T) {
	play(t, func(r *rig) {
		for i := range room + 3 {
			r.order(fmt.Sprintf(`{"user": %d}`, i))
		}
		if n := testutil.ToFloat64(r.metrics.orders.WithLabelValues(outcomePassed)); n != room {
			t.Errorf("%v orders are passed on, there is room for %d", n, room)
		}
		got := r.drain(amqpbus.ReplyQueue("g.1"))
		for len(got) < room+3 {
			before := len(got)
			time.Sleep(maxPause + time.Second) // the bubble's time
			synctest.Wait()
			if got = append(got, r.drain(amqpbus.ReplyQueue("g.1"))...); len(got) == before {
				t.Fatalf("the gateway got %d orders, the others are lost", len(got))
			}
		}
		users := map[string]int{}
		for _, d := range got {
			o, err := protocol.DecodeDisconnect(d.Body)
			r.must(err)
			users[o.User]++
		}
		if len(users) != room+3 {
			t.Errorf("the orders of %v came", users)
		}
	})
}

// TestOrderSurvivesItsWorker: an order that was not passed on goes to the next worker.
func TestOrderSurvivesItsWorker(t *testing.T) {
	play(t, func(r *rig) {
		for i := range room + 1 {
			r.order(fmt.Sprintf(`{"user": %d}`, i))
		}
		r.must(r.orders.Stop(context.Background()))
		r.drain(amqpbus.ReplyQueue("g.1"))
		r.orders = New(Options{Bus: r.bus, Publisher: r.out, Worker: "w.2", Logger: zap.NewNop(), Metrics: r.metrics, GatewayUsers: r.gateways, WorkerUsers: r.workers})
		r.orders.Start()
		synctest.Wait()
		if got := r.drain(amqpbus.ReplyQueue("g.1")); len(got) != 1 || got[0].ReplyTo != "w.2" {
			t.Errorf("the gateway got %+v", got)
		}
	})
}

// TestGatewayCannotOrder: a gateway's broker user may write to the queue of orders and bind
// it, but its orders are refused.
func TestGatewayCannotOrder(t *testing.T) {
	play(t, func(r *rig) {
		gateway := r.broker.Open("gateway")
		defer func() { _ = gateway.Close(context.Background()) }()
		forger := confirm.NewPublisher(gateway)
		defer func() { _ = forger.Close() }()
		r.must(forger.Send(r.Context(), amqpbus.Message{Key: amqpbus.QueueDisconnect, Mandatory: true, Body: []byte(`{"user": 7}`)}))
		r.must(forger.Send(r.Context(), amqpbus.Message{Exchange: amqpbus.ExchangeDisconnect, Mandatory: true, Body: []byte(`{"user": 7}`)}))
		r.must(r.out.Send(r.Context(), amqpbus.Message{Key: amqpbus.QueueDisconnect, Mandatory: true, Body: []byte(`{"user": 7}`)}))
		synctest.Wait()
		if got := r.drain(amqpbus.ReplyQueue("g.1")); len(got) != 0 {
			t.Errorf("the gateway got %+v", got)
		}
		if n := testutil.ToFloat64(r.metrics.orders.WithLabelValues(outcomeForged)); n != 3 {
			t.Errorf("%v orders count as forged", n)
		}
		dead := r.drain(amqpbus.QueueDead)
		if len(dead) != 3 || dead[0].Headers["reason"] != errForged.Error() {
			t.Errorf("parked %+v", dead)
		}
	})
}
