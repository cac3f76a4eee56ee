package relay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/membus"
	"belfry/pkg/protocol"
)

func TestQuestionIsAnswered(t *testing.T) {
	play(t, 1, func(t *testing.T, r *rig) {
		answered := make(chan protocol.Decision, 1)
		go func() {
			d, err := r.relay.Connect(t.Context(), 7, protocol.NewToken("secret"), "192.0.2.1")
			if err != nil {
				t.Error(err)
			}
			answered <- d
		}()
		synctest.Wait()
		ds := r.take(amqpbus.QueueQuestions)
		if len(ds) != 1 || ds[0].Type != protocol.TypeConnect || ds[0].ReplyTo != string(self) || ds[0].Expiration != answerWithin {
			t.Fatalf("asked %+v", ds)
		}
		q, err := protocol.DecodeConnect(ds[0].Body)
		r.must(err)
		// Answers to another connection, and to nobody, are passed over.
		r.send(protocol.TypeDecision, protocol.Encode(protocol.Decision{Conn: 8, Question: q.Question, Verdict: protocol.VerdictRefuse}))
		r.send(protocol.TypeDecision, protocol.Encode(protocol.Decision{Conn: 7, Question: 99, Verdict: protocol.VerdictRefuse}))
		r.send(protocol.TypeDecision, protocol.Encode(protocol.Decision{Conn: 7, Question: q.Question, Verdict: protocol.VerdictAccept}))
		if d := <-answered; d.Verdict != protocol.VerdictAccept {
			t.Errorf("decided %+v", d)
		}
	})
}

func TestQuestionsOfAStormTravelTogether(t *testing.T) {
	play(t, 1, func(t *testing.T, r *rig) {
		const all = 200
		// The broker takes nothing before all have asked, so that no scheduler decides
		// what waits together.
		r.broker.SetPublishHook(func(string, amqpbus.Message) membus.Fate { return membus.FateHold })
		answered := make(chan error, all)
		for n := range protocol.ConnID(all) {
			go func() {
				d, err := r.relay.Connect(t.Context(), n, protocol.NewToken("secret"), "")
				if err == nil && d.Conn != n {
					err = fmt.Errorf("connection %d got the answer of %d", n, d.Conn)
				}
				answered <- err
			}()
		}
		synctest.Wait()
		r.broker.SetPublishHook(nil)
		synctest.Wait()
		ds := r.take(amqpbus.QueueQuestions)
		if most := all / 10; len(ds) > most {
			t.Errorf("%d messages for %d questions", len(ds), all)
		}
		var answers []protocol.Packed
		for _, d := range ds {
			questions := []protocol.Packed{{Type: d.Type, Body: d.Body}}
			if d.Type == protocol.TypePack {
				var err error
				questions, err = protocol.DecodePack(d.Body)
				r.must(err)
			}
			if d.ReplyTo != string(self) || d.Expiration != answerWithin {
				t.Errorf("asked %+v", d.Message)
			}
			for _, m := range questions {
				q, err := protocol.DecodeConnect(m.Body)
				r.must(err)
				answers = append(answers, protocol.Packed{Type: protocol.TypeDecision, Body: protocol.Encode(
					protocol.Decision{Conn: q.Conn, Question: q.Question, Verdict: protocol.VerdictAccept})})
			}
		}
		for pack := range slices.Chunk(answers, protocol.MaxPacked) {
			r.send(protocol.TypePack, protocol.EncodePack(pack))
		}
		for range all {
			r.must(<-answered)
		}
	})
}

func TestQuestionThatNobodyAnswers(t *testing.T) {
	play(t, 1, func(t *testing.T, r *rig) {
		started := time.Now()
		_, err := r.relay.Authorize(t.Context(), 7, []byte(`{}`), []protocol.Group{"jobs-1"})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(started) != answerWithin {
			t.Fatalf("after %v: %v", time.Since(started), err)
		}
		if len(r.relay.ask.pending) != 0 {
			t.Error("the question is still kept")
		}
		if ds := r.take(amqpbus.QueueQuestions); len(ds) != 0 {
			t.Errorf("the question outlived who asked: %d", len(ds))
		}
	})
}

func TestQuestionThatTheQueueRefuses(t *testing.T) {
	play(t, 1, func(t *testing.T, r *rig) {
		r.broker.SetPublishHook(func(_ string, m amqpbus.Message) membus.Fate {
			if m.Exchange == amqpbus.ExchangeQuestions {
				return membus.FateRefuse
			}
			return membus.FatePass
		})
		if _, err := r.relay.Connect(t.Context(), 7, protocol.NewToken("secret"), ""); !errors.Is(err, amqpbus.ErrRefused) {
			t.Fatalf("got %v", err)
		}
	})
}

func TestQuestionIsAskedAgainOnTheNextLink(t *testing.T) {
	play(t, 1, func(t *testing.T, r *rig) {
		r.broker.SetPublishHook(func(_ string, m amqpbus.Message) membus.Fate {
			if m.Exchange == amqpbus.ExchangeQuestions {
				return membus.FateDrop
			}
			return membus.FatePass
		})
		answered := make(chan error, 1)
		go func() {
			_, err := r.relay.Authorize(t.Context(), 7, []byte(`{}`), []protocol.Group{"jobs-1"})
			answered <- err
		}()
		pass(time.Second + time.Microsecond)
		r.broker.SetPublishHook(nil)
		r.broker.CutPublishing(r.bus)
		pass(time.Second)
		ds := r.take(amqpbus.QueueQuestions)
		if len(ds) != 1 || ds[0].Expiration > answerWithin-time.Second || ds[0].Expiration <= 0 || ds[0].Expiration%time.Millisecond != 0 {
			t.Fatalf("asked again: %+v", ds)
		}
		q, err := protocol.Decode[protocol.Subscribe](ds[0].Body)
		r.must(err)
		r.send(protocol.TypeDecision, protocol.Encode(protocol.Decision{Conn: 7, Question: q.Question, Verdict: protocol.VerdictAccept}))
		r.must(<-answered)
	})
}
