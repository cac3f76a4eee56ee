package life

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

// keyPrefix is the beginning of the routing keys: connection.opened and so on.
const keyPrefix = "connection."

// maxID is the longest message id in bytes, an AMQP short string. A report with a longer one
// could never be published, and its batch would be sent again for ever.
const maxID = 255

// maxGateways is how many gateways' last batches are remembered. If a gateway that was
// forgotten repeats its batch, it is published again.
const maxGateways = 10_000

// Sender publishes in order and waits for the outcome of each message. confirm.Publisher
// implements it; the tests use one that refuses messages.
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

// gateway is what the Keeper remembers about a gateway.
type gateway struct {
	busy  chan struct{} // a lock: holds one element while a batch is being published
	users int           // calls that hold busy or wait for it; guarded by Keeper.mu
	noted uint64        // the last batch that was noted; owned by the holder of busy
}

// New makes a Keeper. It starts nothing.
func New(sender Sender, worker protocol.WorkerID, metrics *Metrics) *Keeper {
	return &Keeper{sender: sender, worker: worker, metrics: metrics, gateways: map[protocol.GatewayID]*gateway{}}
}

// Keep publishes the reports of a batch and notes it to its gateway. On error it does not
// note the batch, and the gateway sends it again. A batch older than the last noted one is a
// late copy and is dropped.
func (k *Keeper) Keep(ctx context.Context, batch protocol.Life) error {
	g := k.enter(batch.Gateway)
	defer k.leave(g)
	select {
	case g.busy <- struct{}{}:
		defer func() { <-g.busy }()
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

// known reports whether a kind has a documented routing key.
func known(kind protocol.LifeKind) bool {
	return kind == protocol.LifeOpened || kind == protocol.LifeSubscribed || kind == protocol.LifeClosed
}

// note tells the gateway that its batch is published. It ignores that the gateway is gone.
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
		g = &gateway{busy: make(chan struct{}, 1)}
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

// forgetLocked forgets any one gateway that no call uses, if there are too many.
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
