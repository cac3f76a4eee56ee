package leading

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/trust"
	"belfry/pkg/daemon"
	"belfry/pkg/eventlog"
	"belfry/pkg/protocol"
	"belfry/services/worker/lead"
)

// Options of New. Bus, Worker and Layout are required.
type Options struct {
	Bus    amqpbus.Bus
	Worker protocol.WorkerID
	Layout amqpbus.Layout
	// Key makes fingerprints; all workers of an installation have the same one.
	Key eventlog.Key
	// Gateways and Workers are the broker users that are believed; nil: the bus's own.
	Gateways, Workers *trust.Users
	// Other is given what comes in the reply queue and is none of the logs'; nil:
	// nobody wants it. It must not block.
	Other  func(d *amqpbus.Delivery)
	Logger *zap.Logger // nil: silent
}

// Leading is a worker's part in leading the logs. Start it once, Stop it once.
type Leading struct {
	o    Options
	log  *zap.Logger
	logs []*log
	mail atomic.Bool // the reply queue is consumed

	quit    context.CancelFunc
	running sync.WaitGroup
}

// New checks the options and starts nothing.
func New(o Options) (*Leading, error) {
	switch {
	case o.Bus == nil || o.Worker == "":
		return nil, errors.New("leading: a bus and the worker's id are required")
	case o.Layout.Shards < 1 || o.Layout.Shards > protocol.MaxShards:
		return nil, fmt.Errorf("leading: shards must be 1 to %d, not %d", protocol.MaxShards, o.Layout.Shards)
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Gateways == nil {
		o.Gateways = trust.New("BELFRY_GATEWAY_USERS", []string{o.Bus.User()}, o.Logger)
	}
	if o.Workers == nil {
		o.Workers = trust.New("BELFRY_WORKER_USERS", []string{o.Bus.User()}, o.Logger)
	}
	if o.Other == nil {
		o.Other = func(*amqpbus.Delivery) {}
	}
	l := &Leading{o: o, log: o.Logger.Named("leading"), quit: func() {}}
	for number := range amqpbus.Logs(o.Layout.Shards) {
		l.logs = append(l.logs, newLog(l, number))
	}
	return l, nil
}

// Start begins, in the background and for ever. It does not wait for the broker: see
// Ready. Everything that is published to must exist, or be declared soon.
func (l *Leading) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	l.quit = cancel
	l.running.Go(func() {
		amqpbus.Keep(ctx, 0, l.readReplies, func(err error) {
			l.log.Warn("consumer lost, reopening", zap.String("queue", l.replyQueue()), zap.Error(err))
		})
	})
	for _, g := range l.logs {
		g.start(ctx, &l.running)
	}
}

// Stop gives every log to another worker and waits until all has ended. It returns
// within some seconds; the error is ctx's when that was too long.
func (l *Leading) Stop(ctx context.Context) error {
	l.quit()
	if err := daemon.Wait(ctx, &l.running); err != nil {
		return fmt.Errorf("give the logs to other workers: %w", err)
	}
	return nil
}

// Ready returns the reasons why this worker cannot lead; empty: it can.
func (l *Leading) Ready() []string {
	var why []string
	if !l.mail.Load() {
		why = append(why, "the worker's reply queue has no consumer yet")
	}
	for _, g := range l.logs {
		if !g.up.Load() {
			why = append(why, fmt.Sprintf("log %d has no consumer of its lead queue yet", g.number))
		}
	}
	return why
}

// Leads reports which logs this worker believes that it leads. It may be called
// concurrently.
func (l *Leading) Leads() []int {
	var all []int
	for _, g := range l.logs {
		if g.leads.Load() {
			all = append(all, g.number)
		}
	}
	return all
}

// Fill gives a gateway's question for what a connection missed to the log that it is
// about. It does not block.
func (l *Leading) Fill(q eventlog.Fill) {
	if g := l.of(q.Log); g != nil {
		g.inbox.Put(func() { g.filler.Take(q) })
	}
}

func (l *Leading) of(number int) *log {
	if number < 0 || number >= len(l.logs) {
		return nil
	}
	return l.logs[number]
}

func (l *Leading) replyQueue() string { return amqpbus.ReplyQueue(string(l.o.Worker)) }

func (l *Leading) options(number int) lead.Options {
	return lead.Options{Worker: string(l.o.Worker), Log: number, Key: l.o.Key, MarkID: markID}
}
