package life

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

// keyPrefix begins the routing keys: connection.opened, ...
const keyPrefix = "connection."

// maxID is the length of an AMQP short string. A longer message id could never
// be published, and its batch would come again for ever.
const maxID = 255

// maxGateways bounds how many gateways' last batches are remembered. A gateway
// that is forgotten has its repeated batch published again.
const maxGateways = 10_000

// Sender publishes in order and waits for the outcome of each message. It is a
// confirm.Publisher; the tests put a broker that refuses in its place.
type Sender interface {
	SendAll(ctx context.Context, messages []amqpbus.Message) []error
}

// Keeper publishes batches. Keep may be called concurrently.
type Keeper struct {
	sender  Sender
	worker  protocol.WorkerID
	metrics *Metrics

	mu       sync.Mutex
	gateways map[protocol.GatewayID]*gateway
}

// gateway is what is remembered of one.
type gateway struct {
	turn  chan struct{} // holds one item while a batch is being kept
	users int           // calls that hold or wait for turn; guarded by Keeper.mu
	noted uint64        // the last batch that was noted; owned by the turn's holder
}

// New builds a Keeper that starts nothing.
func New(sender Sender, worker protocol.WorkerID, metrics *Metrics) *Keeper {
	return &Keeper{sender: sender, worker: worker, metrics: metrics, gateways: map[protocol.GatewayID]*gateway{}}
}

// Keep publishes the batch and notes it. On an error it is not noted; the
// gateway will send it again. An older batch than the last noted one is a late
// copy and is dropped.
func (k *Keeper) Keep(ctx context.Context, batch protocol.Life) error {
	g := k.enter(batch.Gateway)
	defer k.leave(g)
	select {
	case g.turn <- struct{}{}:
		defer func() { <-g.turn }()
	case <-ctx.Done():
		return fmt.Errorf("wait for the gateway's previous reports: %w", ctx.Err())
	}
	switch {
	case batch.Batch < g.noted:
		k.metrics.batches.WithLabelValues(batchRepeated).Inc()
		return nil
	case batch.Batch == g.noted && g.noted != 0:
		k.metrics.batches.WithLabelValues(batchRepeated).Inc()
	default:
		if err := k.publish(ctx, batch.Reports); err != nil {
			k.metrics.batches.WithLabelValues(batchFailed).Inc()
			return fmt.Errorf("publish connection reports (batch %d): %w", batch.Batch, err)
		}
		g.noted = batch.Batch
		k.metrics.batches.WithLabelValues(batchPublished).Inc()
	}
	return k.note(ctx, batch)
}

func (k *Keeper) publish(ctx context.Context, reports []protocol.LifeReport) error {
	messages := make([]amqpbus.Message, 0, len(reports))
	for _, r := range reports {
		if !known(r.Kind) || len(r.ID) > maxID {
			k.metrics.reports.WithLabelValues(reportUnknown).Inc()
			continue
		}
		messages = append(messages, amqpbus.Message{
			Exchange: amqpbus.ExchangeEvents,
			Key:      keyPrefix + string(r.Kind),
			Type:     keyPrefix + string(r.Kind),
			ID:       r.ID,
			Body:     protocol.Encode(r),
		})
	}
	if len(messages) == 0 {
		return nil
	}
	for _, err := range k.sender.SendAll(ctx, messages) {
		switch {
		case err == nil:
			k.metrics.reports.WithLabelValues(reportPublished).Inc()
		case errors.Is(err, amqpbus.ErrRefused):
			k.metrics.reports.WithLabelValues(reportRefused).Inc()
		default:
			return err
		}
	}
	return nil
}

// known keeps routing keys to the documented ones.
func known(kind protocol.LifeKind) bool {
	return kind == protocol.LifeOpened || kind == protocol.LifeSubscribed || kind == protocol.LifeClosed
}

// note tells the gateway. One that is gone needs no note.
func (k *Keeper) note(ctx context.Context, batch protocol.Life) error {
	err := k.sender.SendAll(ctx, []amqpbus.Message{{
		Exchange:  amqpbus.ExchangeReply,
		Key:       string(batch.Gateway),
		Type:      protocol.TypeNoted,
		ReplyTo:   string(k.worker),
		Mandatory: true,
		Body:      protocol.Encode(protocol.Noted{Batch: batch.Batch}),
	}})[0]
	if err != nil && !errors.Is(err, amqpbus.ErrUnroutable) {
		return fmt.Errorf("tell the gateway that batch %d is published: %w", batch.Batch, err)
	}
	return nil
}

func (k *Keeper) enter(id protocol.GatewayID) *gateway {
	k.mu.Lock()
	defer k.mu.Unlock()
	g, found := k.gateways[id]
	if !found {
		k.forgetLocked()
		g = &gateway{turn: make(chan struct{}, 1)}
		k.gateways[id] = g
	}
	g.users++
	return g
}

func (k *Keeper) leave(g *gateway) {
	k.mu.Lock()
	defer k.mu.Unlock()
	g.users--
}

// forgetLocked makes room by forgetting any gateway that nobody holds.
func (k *Keeper) forgetLocked() {
	if len(k.gateways) < maxGateways {
		return
	}
	for id, g := range k.gateways {
		if g.users == 0 {
			delete(k.gateways, id)
			return
		}
	}
}
