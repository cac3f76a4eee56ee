package check

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

// hearFor is how long to wait for the presence messages that workers send every 2 s.
const hearFor = 3 * time.Second

// spoken is a worker's presence message and the broker user that sent it.
type spoken struct {
	user     string
	presence protocol.Presence
}

// hear listens to the running workers, and compares their broker users, and the users that
// they trust as gateways, with this environment.
func (e *examination) hear(ctx context.Context, bus amqpbus.Bus, queue string, gateway bool) {
	if q, err := e.probe.Queue(ctx, amqpbus.QueueQuestions); err != nil || q.Consumers == 0 {
		return // no worker runs, which running reports
	}
	heard, err := e.listen(ctx, bus, queue)
	if err != nil {
		e.bad("users", err)
		return
	}
	if len(heard) == 0 {
		e.note("users: no worker sent a message within %v", hearFor)
		return
	}
	wrong := e.wrong
	names := e.broker.WorkerUsers
	if len(names) == 0 {
		names = []string{e.probe.User()}
	}
	for _, id := range slices.Sorted(maps.Keys(heard)) {
		w := heard[id]
		if !slices.Contains(names, w.user) {
			e.bad("users", fmt.Errorf("worker %s uses the broker user %q, but BELFRY_WORKER_USERS names %s, so programs with this environment ignore its messages: add the user there", id, w.user, list(names)))
		}
		if gateway && len(w.presence.Gateways) > 0 && !slices.Contains(w.presence.Gateways, e.probe.User()) {
			e.bad("users", fmt.Errorf("worker %s does not answer gateways with the broker user %q, because its BELFRY_GATEWAY_USERS names %s: add the user there", id, e.probe.User(), list(w.presence.Gateways)))
		}
		for _, stranger := range w.presence.Strangers {
			e.bad("users", fmt.Errorf("worker %s ignores messages of the broker user %q: if it is a gateway's, add it to the worker's BELFRY_GATEWAY_USERS, which names %s", id, stranger, list(w.presence.Gateways)))
		}
	}
	if e.wrong == wrong {
		e.good("users: %d workers sent messages, all with trusted broker users", len(heard))
	}
}

// listen collects the latest presence message of each worker.
func (e *examination) listen(ctx context.Context, bus amqpbus.Bus, queue string) (map[protocol.WorkerID]spoken, error) {
	ctx, cancel := context.WithTimeout(ctx, hearFor)
	defer cancel()
	consumer, err := bus.OpenConsumer(ctx, amqpbus.ConsumerOptions{Queue: queue, Exclusive: e.layout.ExclusiveReplies(), Prefetch: 100})
	if err != nil {
		return nil, fmt.Errorf("consume: %w", err)
	}
	defer func() { _ = consumer.Close() }()
	heard := map[protocol.WorkerID]spoken{}
	for {
		pack, err := consumer.Receive(ctx, 100)
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			return heard, nil
		case err != nil:
			return nil, fmt.Errorf("listen to workers: %w", err)
		}
		for _, d := range pack {
			if p, err := protocol.Decode[protocol.Presence](d.Body); d.Type == protocol.TypePresence && err == nil && !p.Bye {
				heard[p.Worker] = spoken{d.UserID, p}
			}
		}
		if err := consumer.AckThrough(pack[len(pack)-1]); err != nil {
			return nil, fmt.Errorf("listen to workers: %w", err)
		}
	}
}

func list(names []string) string { return strings.Join(names, ", ") }
