package following

import (
	"fmt"

	"go.uber.org/zap"

	"belfry/pkg/amqpbus"
	"belfry/pkg/eventlog"
	"belfry/pkg/protocol"
	"belfry/services/gateway/follow"
)

// perform does what the machine wants done, in order. Events that follow each other are
// delivered together, before anything else is told to a client.
func (d *Driver) perform() {
	for _, e := range d.machine.Effects() {
		switch e := e.(type) {
		case follow.Deliver:
			x := e.Event
			d.events = append(d.events, protocol.Event{Group: x.Group, Trace: x.Trace, Payload: x.Payload})
		case follow.Send:
			d.sender.Send(d.message(amqpbus.ExchangeReply, e.Worker, e.Message), d.verdict(e.Message))
		case follow.SendAll:
			d.sender.Send(d.message(amqpbus.ExchangeWorkers, "", e.Message), nil)
		case follow.Ask:
			d.sender.Send(d.message(amqpbus.ExchangeQuestions, amqpbus.QueueQuestions, e.Fill), nil)
		case follow.Answer:
			d.flush()
			d.answered(e.Conn, nil)
		case follow.Unavailable:
			d.answered(e.Conn, ErrUnavailable)
		case follow.Gap:
			d.flush()
			d.metrics.gaps.Inc()
			d.o.Sink.GapOf(protocol.ConnID(e.Conn), e.Groups)
		case follow.CloseAll:
			d.flush()
			d.logger.Warn("no worker has led a log for 30 s: closing all connections with 1013", zap.Int("log", e.Log))
			d.o.Sink.CloseAll(protocol.CloseTryLater, d.o.CloseSpread)
		default:
			d.logger.Error("bug: an effect that the driver does not know", zap.String("effect", fmt.Sprintf("%T", e)))
		}
	}
	d.flush()
}

// flush delivers the events that wait.
func (d *Driver) flush() {
	if len(d.events) == 0 {
		return
	}
	d.metrics.events.Add(float64(len(d.events)))
	d.o.Sink.Deliver(d.events)
	clear(d.events)
	d.events = d.events[:0]
}

// verdict tells the machine that a hello has arrived.
func (d *Driver) verdict(message any) func(error) {
	h, hello := message.(eventlog.Hello)
	if !hello {
		return nil
	}
	return func(err error) {
		if err == nil {
			d.inbox.Put(func() { d.machine.Confirmed(h.Log, h.Feed) })
		}
	}
}

func (d *Driver) message(exchange, key string, message any) amqpbus.Message {
	kind, body := eventlog.Encode(d.o.Layout.Shards, message)
	return amqpbus.Message{Exchange: exchange, Key: key, Type: kind, ReplyTo: string(d.o.Gateway), Body: body}
}
