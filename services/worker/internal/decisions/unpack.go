package decisions

import (
	"sync/atomic"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

// unpack returns the messages in a delivery. A pack that cannot be decoded, or that
// does not come from a gateway, is returned as it is; handleMessage parks it.
func (s *Server) unpack(d amqpbus.Delivery) []amqpbus.Delivery {
	alone := []amqpbus.Delivery{d}
	if d.Type != protocol.TypePack || !s.options.GatewayUsers.Trusts(&d) {
		return alone
	}
	messages, err := protocol.DecodePack(d.Body)
	if err != nil {
		return alone
	}
	out := make([]amqpbus.Delivery, len(messages))
	for i, m := range messages {
		out[i] = d
		out[i].Type, out[i].Body = m.Type, m.Body
	}
	return out
}

// received is a delivery whose messages are handled concurrently. It is acked when
// all are finished. If one was abandoned, all are delivered again; the gateway drops
// decisions that it has already, by their numbers.
type received struct {
	consumer  amqpbus.Consumer
	delivery  amqpbus.Delivery
	left      atomic.Int64
	abandoned atomic.Bool
}

func newReceived(consumer amqpbus.Consumer, d amqpbus.Delivery, messages int) *received {
	r := &received{consumer: consumer, delivery: d}
	r.left.Store(int64(messages))
	return r
}

// finished is called once for each message. done is false if it was abandoned.
func (r *received) finished(done bool) error {
	if !done {
		r.abandoned.Store(true)
	}
	if r.left.Add(-1) > 0 || r.abandoned.Load() {
		return nil
	}
	return r.consumer.Ack(r.delivery)
}
