package decisions

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/trust"
	"belfry/pkg/daemon"
	"belfry/pkg/protocol"
	"belfry/services/worker/auth"
	"belfry/services/worker/internal/access"
	"belfry/services/worker/internal/confirm"
	"belfry/services/worker/internal/life"
)

// defaultHandlers is far above the number of questions that the application is asked
// at a time. The other handlers wait for it, and a question that does not need the
// application must still find a free handler. A waiting handler costs a small stack.
const defaultHandlers = 1000

const (
	// maxBackoff is the longest mean pause before a consumer is opened again.
	maxBackoff = 3 * time.Second
	// resendAfter is the pause before a decision is sent again after a lost link.
	resendAfter = 100 * time.Millisecond
)

// Authorizer decides which groups an identity may see; access.Authorizer is one.
type Authorizer interface {
	Authorize(ctx context.Context, id auth.Identity, groups []protocol.Group) (access.Result, error)
}

// Options of New. All fields but Handlers, Users and Now are required.
type Options struct {
	Bus           amqpbus.Bus
	Layout        amqpbus.Layout
	Publisher     *confirm.Publisher
	Worker        protocol.WorkerID
	GatewayUsers  *trust.Users // broker users that may ask
	Authenticator auth.Authenticator
	Authorizer    Authorizer
	Life          *life.Keeper
	Handlers      int              // questions at a time, and the prefetch; zero: 1,000
	Now           func() time.Time // nil: time.Now
	Logger        *zap.Logger
	Metrics       *Metrics
}

// Server consumes the question queue. Start it once, Stop it once.
type Server struct {
	options Options
	logger  *zap.Logger
	metrics *Metrics
	places  chan struct{} // holds one element per busy handler

	receive  context.CancelFunc // ends the receiving goroutine
	received sync.WaitGroup     // the receiving goroutine and every handler

	handle  context.Context    // the handlers' context
	abandon context.CancelFunc // ends handle

	mu      sync.Mutex
	present bool // guarded by mu: there is a consumer
}

// New makes a Server. It starts nothing.
func New(o Options) *Server {
	if o.Handlers <= 0 {
		o.Handlers = defaultHandlers
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{
		options: o, logger: o.Logger, metrics: o.Metrics,
		places: make(chan struct{}, o.Handlers),
	}
	return s
}

// Start begins to consume, in the background, until Stop.
func (s *Server) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.receive = cancel
	s.handle, s.abandon = context.WithCancel(context.Background())
	s.received.Go(func() { s.run(ctx) })
}

// Stop stops receiving and waits until the received questions are answered and acked. If
// ctx ends first, it abandons them; the broker delivers them to another worker.
func (s *Server) Stop(ctx context.Context) error {
	s.receive()
	defer s.abandon()
	err := daemon.Wait(ctx, &s.received)
	if err != nil {
		s.abandon()
		s.received.Wait() // handlers end with their context
		return fmt.Errorf("finish the questions being decided: %w", err)
	}
	return nil
}

// Ready returns the reasons why gateways get no answers; empty means ready. One reason is
// that all recent questions came from broker users that are not trusted.
func (s *Server) Ready() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.present {
		return []string{"the question queue (belfry.session) has no consumer yet"}
	}
	if why := s.options.GatewayUsers.Reason(); why != "" {
		return []string{why}
	}
	return nil
}

func (s *Server) setPresent(present bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.present = present
}

// run opens a consumer whenever there is none, until ctx ends.
func (s *Server) run(ctx context.Context) {
	amqpbus.Keep(ctx, maxBackoff, s.consume, func(err error) {
		s.logger.Warn("consumer lost, reopening", zap.String("queue", amqpbus.QueueQuestions), zap.Error(err))
	})
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// consume opens a consumer and handles what it receives until it ends.
func (s *Server) consume(ctx context.Context) error {
	topology := amqpbus.SharedTopology(s.options.Layout).Of(amqpbus.QueueQuestions)
	consumer, err := s.options.Bus.OpenConsumer(ctx, amqpbus.ConsumerOptions{
		Queue: amqpbus.QueueQuestions, Declare: &topology, Prefetch: s.options.Handlers,
	})
	if err != nil {
		return fmt.Errorf("consume %s: %w", amqpbus.QueueQuestions, err)
	}
	s.setPresent(true)
	defer s.setPresent(false)
	var handlers sync.WaitGroup
	defer func() {
		// Closing returns unacked messages to the queue, so wait for the handlers
		// first, unless the consumer has ended by itself.
		if ctx.Err() != nil {
			handlers.Wait()
		}
		_ = consumer.Close()
	}()
	for {
		deliveries, err := consumer.Receive(ctx, s.options.Handlers)
		if err != nil {
			return fmt.Errorf("receive from %s: %w", amqpbus.QueueQuestions, err)
		}
		deadline := time.Now().Add(questionTime)
		for _, d := range deliveries {
			handlers.Add(1)
			s.received.Go(func() {
				defer handlers.Done()
				s.spread(ctx, deadline, consumer, d)
			})
		}
	}
}

// spread starts a handler for each message of a delivery, waiting for a free one each
// time. It has its own goroutine, so that receiving continues meanwhile.
func (s *Server) spread(ctx context.Context, deadline time.Time, consumer amqpbus.Consumer, d amqpbus.Delivery) {
	messages := s.unpack(d)
	of := newReceived(consumer, d, len(messages))
	var handlers sync.WaitGroup
	defer handlers.Wait()
	for _, m := range messages {
		select {
		case s.places <- struct{}{}:
		case <-ctx.Done():
			return // not acked: the whole delivery comes again
		}
		s.metrics.busy.Inc()
		handlers.Go(func() {
			defer func() { <-s.places; s.metrics.busy.Dec() }()
			s.answer(deadline, of, m)
		})
	}
}
