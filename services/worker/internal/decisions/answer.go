package decisions

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

// Reasons for parking a message, the values of the label `reason`.
const (
	parkedUser    = "user"    // its broker user is not a gateway's
	parkedDecode  = "decode"  // it cannot be decoded
	parkedUnknown = "unknown" // its type does not belong into the question queue
)

// answer handles one message. If it was the last unfinished one of its delivery, it acks
// the delivery.
func (s *Server) answer(deadline time.Time, of *received, d amqpbus.Delivery) {
	ctx, cancel := context.WithDeadline(s.handle, deadline)
	defer cancel()
	if err := of.finished(s.handleMessage(ctx, d)); err != nil {
		s.logger.Debug("question not acked: the broker will deliver it again", zap.Error(err))
	}
}

// handleMessage handles a message and reports whether it is finished. If not, the broker
// must deliver it again.
func (s *Server) handleMessage(ctx context.Context, d amqpbus.Delivery) (done bool) {
	defer func() {
		// Panics in a decision are recovered in recoverInto; this is for all other code.
		if cause := recover(); cause != nil {
			s.metrics.panics.Inc()
			s.logPanic(cause)
			done = true
		}
	}()
	if !s.options.GatewayUsers.Trusts(&d) {
		return s.park(ctx, d, parkedUser)
	}
	switch d.Type {
	case protocol.TypeConnect:
		q, err := protocol.DecodeConnect(d.Body)
		if err != nil {
			return s.park(ctx, d, parkedDecode)
		}
		return s.reply(ctx, q.Gateway, kindConnect, func() protocol.Decision { return s.decideConnect(ctx, q) })
	case protocol.TypeSubscribe:
		q, err := protocol.Decode[protocol.Subscribe](d.Body)
		if err != nil || q.Gateway == "" || q.Question == 0 {
			return s.park(ctx, d, parkedDecode)
		}
		return s.reply(ctx, q.Gateway, kindSubscribe, func() protocol.Decision { return s.decideSubscribe(ctx, q) })
	case protocol.TypePack: // unpack could not decode it
		return s.park(ctx, d, parkedDecode)
	case protocol.TypeLife:
		batch, err := protocol.Decode[protocol.Life](d.Body)
		if err != nil || batch.Gateway == "" {
			return s.park(ctx, d, parkedDecode)
		}
		return s.keep(ctx, batch)
	}
	return s.park(ctx, d, parkedUnknown)
}

// reply makes the decision and sends it. It reports false if the worker stopped before the
// decision was sent.
func (s *Server) reply(ctx context.Context, gateway protocol.GatewayID, kind string, decide func() protocol.Decision) bool {
	begin := time.Now()
	decision := decide()
	if s.handle.Err() != nil {
		return false
	}
	s.metrics.decided(kind, decision.Verdict, time.Since(begin))
	err := s.send(ctx, s.options.Publisher.Pack, amqpbus.Message{
		Exchange:  amqpbus.ExchangeReply,
		Key:       string(gateway),
		Type:      protocol.TypeDecision,
		ReplyTo:   string(s.options.Worker),
		Mandatory: true,
		Body:      protocol.Encode(decision),
	})
	s.metrics.answers.WithLabelValues(answerOutcome(err)).Inc()
	if err != nil {
		s.logger.Debug("decision not delivered to its gateway", zap.String("gateway", string(gateway)), zap.Error(err))
	}
	return s.handle.Err() == nil || err == nil
}

// send publishes a message and tries again after a lost link, until ctx ends. A gateway
// recognizes a decision that arrives twice by its number.
func (s *Server) send(ctx context.Context, by func(context.Context, amqpbus.Message) error, m amqpbus.Message) error {
	for {
		err := by(ctx, m)
		if !errors.Is(err, amqpbus.ErrLinkLost) || ctx.Err() != nil {
			return err
		}
		wait(ctx, resendAfter)
	}
}

// keep passes a batch of reports to package life. If that fails, the message is acked all
// the same, because the gateway sends the batch again until it is noted.
func (s *Server) keep(ctx context.Context, batch protocol.Life) bool {
	if err := s.options.Life.Keep(ctx, batch); err != nil {
		s.logger.Warn("connection reports were not published: the gateway will send them again",
			zap.String("gateway", string(batch.Gateway)), zap.Error(err))
		return s.handle.Err() == nil
	}
	return true
}

// park publishes to belfry.dead why a message could not be handled and where it came from,
// without its body, which may contain a token.
func (s *Server) park(ctx context.Context, d amqpbus.Delivery, reason string) bool {
	s.metrics.parked.WithLabelValues(reason).Inc()
	err := s.send(ctx, s.options.Publisher.Send, amqpbus.Message{
		Key:       amqpbus.QueueDead,
		Type:      d.Type,
		Headers:   map[string]string{"reason": "session: " + reason, "origin": amqpbus.QueueQuestions},
		Mandatory: true,
	})
	if err != nil {
		s.logger.Warn("message that could not be handled is lost: it could not be parked in belfry.dead", zap.String("reason", reason), zap.Error(err))
	}
	return s.handle.Err() == nil || err == nil
}
