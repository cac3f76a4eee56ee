package disconnect

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/trust"
	"belfry/pkg/protocol"
	"belfry/services/worker/internal/confirm"
)

// prefetch is how many orders are handled at the same time. An order that a gateway's full
// queue refuses is sent again until the queue has room or is gone, beside the others.
const prefetch = 256

// maxPause is the longest pause before a refused order is sent again.
const maxPause = 15 * time.Second

var errForged = errors.New("an order by a gateway, or not through the exchange belfry.disconnect")

// Options of New. All are required.
type Options struct {
	Bus       amqpbus.Bus
	Layout    amqpbus.Layout
	Publisher *confirm.Publisher
	// Orders from a gateway's broker user are refused, unless it is also a worker's.
	GatewayUsers, WorkerUsers *trust.Users
	Worker                    protocol.WorkerID
	Logger                    *zap.Logger
	Metrics                   *Metrics
}

// Orders consumes the queue of orders. Start it once, Stop it once.
type Orders struct {
	o       Options
	stop    context.CancelFunc
	running sync.WaitGroup
}

// New makes an Orders. It starts nothing.
func New(o Options) *Orders { return &Orders{o: o} }

// Start begins to consume, in the background, until Stop.
func (s *Orders) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	s.running.Go(func() {
		amqpbus.Keep(ctx, 0, s.consume, func(err error) {
			s.o.Logger.Warn("consumer lost, reopening", zap.String("queue", amqpbus.QueueDisconnect), zap.Error(err))
		})
	})
}

// Stop stops at once. The broker delivers unacked orders to another worker.
func (s *Orders) Stop(context.Context) error {
	s.stop()
	s.running.Wait()
	return nil
}

// consume opens a consumer and handles its orders until it ends. It always returns an
// error.
func (s *Orders) consume(ctx context.Context) error {
	topology := amqpbus.SharedTopology(s.o.Layout).Of(amqpbus.QueueDisconnect)
	con, err := s.o.Bus.OpenConsumer(ctx, amqpbus.ConsumerOptions{
		Queue: amqpbus.QueueDisconnect, Declare: &topology, Prefetch: prefetch,
	})
	if err != nil {
		return fmt.Errorf("consume %s: %w", amqpbus.QueueDisconnect, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	var working sync.WaitGroup
	defer func() {
		cancel()
		working.Wait()
		_ = con.Close() // unacked orders return to the queue
	}()
	for {
		orders, err := con.Receive(ctx, prefetch)
		if err != nil {
			return fmt.Errorf("receive from %s: %w", amqpbus.QueueDisconnect, err)
		}
		for _, d := range orders {
			working.Go(func() {
				if s.handle(ctx, d) != nil {
					return // not acked: it is delivered again
				}
				_ = con.Ack(d) // if this fails, it is delivered again
			})
		}
	}
}

// handle passes an order on to all gateways, or parks a message that is not a valid order.
func (s *Orders) handle(ctx context.Context, d amqpbus.Delivery) error {
	order, err := s.decode(&d)
	if err != nil {
		if errors.Is(err, errForged) {
			s.o.Metrics.orders.WithLabelValues(outcomeForged).Inc()
			s.o.Logger.Warn("a forged order to disconnect was parked in belfry.dead: find out who has a gateway's broker password",
				zap.String("broker_user", d.UserID), zap.String("exchange", d.Exchange))
		} else {
			s.o.Metrics.orders.WithLabelValues(outcomeParked).Inc()
			s.o.Logger.Warn("disconnect order cannot be decoded: parked in belfry.dead", zap.Error(err))
		}
		return s.send(ctx, amqpbus.Message{
			Key: amqpbus.QueueDead, Type: protocol.TypeDisconnect, Mandatory: true,
			Headers: map[string]string{"reason": err.Error(), "origin": amqpbus.QueueDisconnect},
		})
	}
	id := d.ID // by which gateways recognize an order that arrives again
	if id == "" {
		id = rand.Text()
	}
	err = s.send(ctx, amqpbus.Message{
		Exchange: amqpbus.ExchangeReplyAll, Type: protocol.TypeDisconnect, ID: id,
		ReplyTo: string(s.o.Worker), Body: protocol.Encode(order),
	})
	if err == nil {
		s.o.Metrics.orders.WithLabelValues(outcomePassed).Inc()
	}
	return err
}

// decode reads an order. One that a gateway gives, or that came around the exchange of
// orders, is none: a gateway may write to the queue, but end nobody's connections.
func (s *Orders) decode(d *amqpbus.Delivery) (protocol.Disconnect, error) {
	if d.Exchange != amqpbus.ExchangeDisconnect || s.o.GatewayUsers.Has(d.UserID) && !s.o.WorkerUsers.Has(d.UserID) {
		return protocol.Disconnect{}, errForged
	}
	return protocol.DecodeDisconnect(d.Body)
}

// send publishes a message until every queue has accepted it, or ctx ends. Processes that
// get it twice recognize it by its id.
func (s *Orders) send(ctx context.Context, m amqpbus.Message) error {
	for pause := time.Second; ; pause = min(2*pause, maxPause) {
		err := s.o.Publisher.Send(ctx, m)
		if err == nil || ctx.Err() != nil {
			return err
		}
		s.o.Metrics.orders.WithLabelValues(outcomeRepeated).Inc()
		wait(ctx, pause)
	}
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
