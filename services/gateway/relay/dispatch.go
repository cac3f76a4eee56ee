package relay

import (
	"fmt"
	"runtime/debug"

	"go.uber.org/zap"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

// dispatch handles one message of the reply queue that is none of the logs'. A message
// that cannot be decoded, or whose broker user is not a worker's, is counted, logged
// without its body and dropped.
func (r *Relay) dispatch(d *amqpbus.Delivery) {
	if !r.trust.Trusts(d) {
		r.metrics.rejected.WithLabelValues(rejectedUser).Inc()
		return
	}
	if err := r.safely(d); err != nil {
		r.metrics.rejected.WithLabelValues(rejectedDecode).Inc()
		r.log.Error("ignored a reply that cannot be decoded: compare the versions of gateways and workers", zap.String("type", d.Type), zap.Error(err))
	}
}

// safely turns a panic in handle into an error: one bad message cannot stop the
// gateway.
func (r *Relay) safely(d *amqpbus.Delivery) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
		}
	}()
	return r.handle(d)
}

func (r *Relay) handle(d *amqpbus.Delivery) error {
	switch d.Type {
	case protocol.TypeDecision:
		return decoded(d, func(m protocol.Decision) error { r.ask.answered(m); return nil })
	case protocol.TypePack:
		return r.unpack(d)
	case protocol.TypeNoted:
		return decoded(d, func(m protocol.Noted) error { r.report.noted(m.Batch); return nil })
	case protocol.TypeDisconnect:
		order, err := protocol.DecodeDisconnect(d.Body)
		if err != nil {
			return err
		}
		if !r.repeats.again(d.ID) {
			r.o.Sink.Disconnect(order)
		}
		return nil
	case protocol.TypePresence:
		return decoded(d, func(m protocol.Presence) error { r.workers.heard(m); return nil })
	default:
		return fmt.Errorf("the type is not one of a gateway's reply queue")
	}
}

// unpack takes the decisions that came together; nothing else may.
func (r *Relay) unpack(d *amqpbus.Delivery) error {
	messages, err := protocol.DecodePack(d.Body)
	if err != nil {
		return err
	}
	for _, m := range messages {
		if m.Type != protocol.TypeDecision {
			err = fmt.Errorf("a pack holds a %q, which travels alone", m.Type) // the others are no worse
			continue
		}
		decision, bad := protocol.Decode[protocol.Decision](m.Body)
		if bad != nil {
			err = bad
			continue
		}
		r.ask.answered(decision)
	}
	return err
}

func decoded[T protocol.Decision | protocol.Noted | protocol.Presence](d *amqpbus.Delivery, use func(T) error) error {
	m, err := protocol.Decode[T](d.Body)
	if err != nil {
		return err
	}
	return use(m)
}
