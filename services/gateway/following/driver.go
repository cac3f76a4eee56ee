package following

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/sender"
	"belfry/pkg/amqpbus/trust"
	"belfry/pkg/daemon"
	"belfry/pkg/eventlog"
	"belfry/pkg/inbox"
	"belfry/pkg/protocol"
	"belfry/services/gateway/follow"
)

const tickEvery = 100 * time.Millisecond

// Sink takes what is for clients. Its methods are called by one goroutine, in the order
// of the logs; hub.Hub is one.
type Sink interface {
	// Deliver hands events to the members here. It returns when every outbox has them;
	// the slice is not kept.
	Deliver(events []protocol.Event)
	// GapOf tells a connection that events of its groups may be missing.
	GapOf(conn protocol.ConnID, groups []protocol.Group)
	// CloseAll closes all connections, spread over a time.
	CloseAll(code protocol.CloseCode, spread time.Duration)
}

// Options of New. Bus, Sink, Gateway and Layout are required.
type Options struct {
	Bus     amqpbus.Bus
	Sink    Sink
	Gateway protocol.GatewayID
	Layout  amqpbus.Layout
	// Undeclared leaves everything but the own reply queue to the workers.
	Undeclared bool
	// Workers are the broker users whose messages are taken as a worker's; nil: the
	// bus's own.
	Workers *trust.Users
	// Other is given what comes in the reply queue and is none of the logs', by one
	// goroutine; nil: nobody wants it. It must not block.
	Other func(*amqpbus.Delivery)
	// Linger is how long a group without members stays (default 10 s).
	Linger time.Duration
	// CloseSpread is how long closing everybody takes when a log stays without a leader
	// (default 10 s).
	CloseSpread time.Duration
	// WindowBytes bounds the events of each log that are kept for who was away for a
	// moment (default 8 MiB).
	WindowBytes int
	Logger      *zap.Logger // nil: silent
}

// Driver runs a gateway's machine. Start it once, Stop it once. Its other methods may
// be called concurrently.
type Driver struct {
	o      Options
	logger *zap.Logger
	inbox  *inbox.Inbox
	sender *sender.Sender
	packs  chan pack
	ended  chan struct{} // closed when the loop has ended
	hears  atomic.Bool   // the reply queue is consumed
	silent atomic.Int64  // logs that nobody leads, for so long that clients were told

	heard time.Time // when a worker spoke; owned by the reply queue's consumer

	// Owned by the loop.
	machine *follow.Gateway
	waiting map[protocol.ConnID]*waiter // what a connection waits for; nil: nothing
	events  []protocol.Event            // that are to be delivered together

	quit    context.CancelFunc
	running sync.WaitGroup
}

// pack is messages of the reply queue.
type pack struct {
	messages []any
	done     chan<- struct{} // closed when everything is done
}

// New checks the options and starts nothing.
func New(o Options) (*Driver, error) {
	switch {
	case o.Bus == nil || o.Sink == nil:
		return nil, errors.New("following: a bus and a sink are required")
	case o.Gateway == "":
		return nil, errors.New("following: the gateway's id is required")
	case o.Layout.Shards < 1 || o.Layout.Shards > protocol.MaxShards:
		return nil, errors.New("following: the number of shards is out of bounds")
	}
	if o.CloseSpread == 0 {
		o.CloseSpread = 10 * time.Second
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Workers == nil {
		o.Workers = trust.New("BELFRY_WORKER_USERS", []string{o.Bus.User()}, o.Logger)
	}
	if o.Other == nil {
		o.Other = func(*amqpbus.Delivery) {}
	}
	return &Driver{
		o: o, logger: o.Logger.Named("following"), quit: func() {},
		inbox: inbox.New(), sender: sender.New(sender.Options{Bus: o.Bus}),
		packs: make(chan pack), ended: make(chan struct{}),
		machine: follow.New(follow.Options{
			Gateway: string(o.Gateway), Shards: o.Layout.Shards, Linger: o.Linger, WindowBytes: o.WindowBytes,
		}),
		waiting: map[protocol.ConnID]*waiter{},
	}, nil
}

// Start begins, in the background and for ever.
func (d *Driver) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	d.quit = cancel
	d.running.Go(func() {
		amqpbus.Keep(ctx, time.Second, d.sender.Once, func(err error) {
			d.logger.Warn("publisher lost, reopening", zap.String("for", "the logs"), zap.Error(err))
		})
	})
	d.running.Go(func() {
		amqpbus.Keep(ctx, time.Second, d.readReplies, func(err error) {
			d.logger.Warn("consumer lost, reopening", zap.String("queue", d.replyQueue()), zap.Error(err))
		})
	})
	d.running.Go(func() { d.loop(ctx) })
}

// Stop tells all workers that this gateway goes, within ctx, and ends the driver. Who
// waits for an answer is told that there is none.
func (d *Driver) Stop(ctx context.Context) error {
	err := d.sayBye(ctx)
	d.quit()
	if late := daemon.Wait(ctx, &d.running); late != nil {
		err = errors.Join(err, fmt.Errorf("end what follows the logs: %w", late))
	}
	return err
}

func (d *Driver) sayBye(ctx context.Context) error {
	if !d.sender.Up() {
		return nil // the workers notice by the silence
	}
	verdict := make(chan error, 1)
	bye := d.message(amqpbus.ExchangeReplyAll, "", eventlog.Bye{Gateway: string(d.o.Gateway)})
	d.sender.Send(bye, func(err error) { verdict <- err })
	select {
	case err := <-verdict:
		if err == nil || errors.Is(err, amqpbus.ErrUnroutable) { // there may be no worker
			return nil
		}
		return fmt.Errorf("tell the workers that this gateway goes: %w", err)
	case <-ctx.Done():
		return fmt.Errorf("tell the workers that this gateway goes: %w", ctx.Err())
	}
}

// Ready returns the reasons why groups cannot be made active; empty: they can.
func (d *Driver) Ready() []string {
	var why []string
	if !d.hears.Load() {
		why = append(why, "the reply queue has no consumer yet")
	}
	if !d.sender.Up() {
		why = append(why, "interest cannot be published yet")
	}
	if n := d.silent.Load(); n > 0 {
		why = append(why, fmt.Sprintf("%d of %d logs are silent: does a worker lead each?", n, amqpbus.Logs(d.o.Layout.Shards)))
	}
	return why
}

// take hands messages over, in the order of the reply queue, and waits until what they
// bring is in the outboxes. It reports false when that is not sure: ctx or the driver
// has ended.
func (d *Driver) take(ctx context.Context, messages []any) bool {
	done := make(chan struct{})
	select {
	case d.packs <- pack{messages, done}:
	case <-d.ended:
		return false
	case <-ctx.Done():
		return false
	}
	select {
	case <-done:
		return true
	case <-d.ended:
		return false
	}
}

func (d *Driver) loop(ctx context.Context) {
	defer close(d.ended)
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	last := time.Now()
	d.machine.Start()
	for {
		d.perform()
		select {
		case <-d.inbox.Ready():
			d.inbox.Do()
		case p := <-d.packs:
			for _, m := range p.messages {
				d.safely(m)
			}
			d.perform()
			close(p.done)
		case now := <-ticker.C:
			if d.o.Bus.Health().Blocked == "" { // else nobody can speak
				d.machine.Tick(now.Sub(last))
				d.silent.Store(int64(d.machine.Silent()))
			}
			last = now
		case <-ctx.Done():
			return
		}
	}
}

// safely gives the machine a message. One on which it panics is logged and passed over:
// the broker would bring it again to the next start.
func (d *Driver) safely(message any) {
	defer func() {
		if cause := recover(); cause != nil {
			d.logger.Error("bug: panic while handling a worker's message, which is passed over", zap.String("message", fmt.Sprintf("%T", message)),
				zap.String("panic", fmt.Sprint(cause)), zap.ByteString("stack", debug.Stack()))
		}
	}()
	d.machine.Take(message)
}
