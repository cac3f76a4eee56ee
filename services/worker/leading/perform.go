package leading

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"go.uber.org/zap"

	"belfry/pkg/amqpbus"
	"belfry/pkg/eventlog"
	"belfry/pkg/protocol"
	"belfry/services/worker/lead"
)

// perform does what the machines want done, in order.
func (l *log) perform() {
	for _, e := range l.machine.Effects() {
		l.do(e)
	}
	for _, e := range l.filler.Effects() {
		l.fill(e)
	}
	if l.roster != nil {
		for _, e := range l.roster.Effects() {
			l.do(e)
		}
	}
	l.tellLeading()
}

func (l *log) do(e lead.Effect) {
	shards := l.of.o.Layout.Shards
	switch e := e.(type) {
	case lead.Send:
		done := l.verdict(&e)
		if b, batch := e.Message.(eventlog.Batch); batch && l.of.o.Trace != nil {
			done = l.trace(b.Events, done)
		}
		l.sender.Send(l.message(amqpbus.ExchangeReply, e.Gateway, e.Message), done)
	case lead.SendAll:
		l.sender.Send(l.message(amqpbus.ExchangeReplyAll, "", e.Message), nil)
	case lead.OpenReader:
		l.openReading(readingKey{number: e.Reader}, e.At)
	case lead.CloseReader:
		l.closeReading(readingKey{number: e.Reader})
	case lead.WriteMark:
		l.sender.Send(amqpbus.Message{
			Exchange: amqpbus.EmitLogs(shards), Key: amqpbus.LogKey(shards, l.number), Type: lead.MarkType, ID: e.ID,
		}, nil)
	case lead.PutBaton:
		l.sender.Send(amqpbus.Message{Key: amqpbus.LeadQueue(shards, l.number), Persistent: true}, nil)
	case lead.AckBaton:
		if b, held := l.batons[e.Baton]; held {
			delete(l.batons, e.Baton)
			_ = b.consumer.Ack(b.delivery) // where it fails, the consumer has ended
		}
	case lead.LeaveBaton:
		if l.leave != nil {
			l.leave()
		}
	case lead.Probe:
		me, _ := l.machine.Leading()
		l.sender.Send(l.message(amqpbus.ExchangeReply, e.Gateway, eventlog.Claim{Log: l.number, Leader: me}), func(err error) {
			if errors.Is(err, amqpbus.ErrUnroutable) {
				l.inbox.Put(func() { l.roster.Unroutable(e.Gateway) })
			}
		})
	case lead.GatewayLost:
		l.of.metrics.gatewaysLost.Inc()
		l.tellLost(gatewayLost(protocol.GatewayID(e.Gateway), time.Now()))
	case lead.Park:
		l.of.metrics.dead.WithLabelValues(e.Reason).Inc()
		l.sender.Send(l.parked(&e), nil)
	default:
		l.logger.Error("bug: an effect that the driver does not know", zap.String("effect", fmt.Sprintf("%T", e)))
	}
}

func (l *log) fill(e lead.Effect) {
	switch e := e.(type) {
	case lead.Send:
		number := e.Batch
		var verdict func(error)
		if number != 0 {
			verdict = func(err error) { l.inbox.Put(func() { l.filler.Settled(number, err == nil) }) }
		}
		l.sender.Send(l.message(amqpbus.ExchangeReply, e.Gateway, e.Message), verdict)
	case lead.OpenReader:
		l.openReading(readingKey{filler: true, number: e.Reader}, e.At)
	case lead.CloseReader:
		l.closeReading(readingKey{filler: true, number: e.Reader})
	default:
		l.logger.Error("bug: an effect that the driver does not know", zap.String("effect", fmt.Sprintf("%T", e)))
	}
}

// verdict tells the machine what became of a batch.
func (l *log) verdict(e *lead.Send) func(error) {
	b, batch := e.Message.(eventlog.Batch)
	if !batch {
		return nil
	}
	l.of.metrics.batches.WithLabelValues(strconv.Itoa(l.number)).Inc()
	gateway, feed := b.Gateway, b.Feed
	return func(err error) {
		l.inbox.Put(func() { l.machine.Settled(gateway, feed, err == nil) })
	}
}

// trace begins the spans of a batch's events. They end with the broker's verdict.
func (l *log) trace(events []eventlog.Event, done func(error)) func(error) {
	var ends []func()
	for i := range events {
		if e := &events[i]; e.Trace != "" {
			onward, end := l.of.o.Trace(e.Trace, string(e.Group), l.number)
			e.Trace = onward
			if end != nil {
				ends = append(ends, end)
			}
		}
	}
	if len(ends) == 0 {
		return done
	}
	return func(err error) {
		for _, end := range ends {
			end()
		}
		done(err)
	}
}

func (l *log) message(exchange, key string, message any) amqpbus.Message {
	kind, body := eventlog.Encode(l.of.o.Layout.Shards, message)
	return amqpbus.Message{Exchange: exchange, Key: key, Type: kind, ReplyTo: string(l.of.o.Worker), Body: body}
}

// lostAgain is the pause before a death is told again that the broker did not take.
const lostAgain = time.Second

// tellLost repeats until the broker has taken the report, or nobody wants it.
func (l *log) tellLost(m amqpbus.Message) {
	l.sender.Send(m, func(err error) {
		if err != nil && !errors.Is(err, amqpbus.ErrUnroutable) && l.ctx.Err() == nil {
			time.AfterFunc(lostAgain, func() { l.inbox.Put(func() { l.tellLost(m) }) })
		}
	})
}

// gatewayLost reports a dead gateway. The message id is the same from every worker.
func gatewayLost(id protocol.GatewayID, at time.Time) amqpbus.Message {
	report := protocol.LifeReport{
		ID: string(id) + ".lost", Kind: protocol.LifeGatewayLost, Gateway: id, At: at.UnixMilli(), Reason: "lost",
	}
	return amqpbus.Message{
		Exchange: amqpbus.ExchangeEvents, Key: string(protocol.LifeGatewayLost), Type: string(protocol.LifeGatewayLost),
		ID: report.ID, Body: protocol.Encode(report),
	}
}
