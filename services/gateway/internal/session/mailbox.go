package session

import (
	"context"
	"time"

	"belfry/pkg/protocol"
)

// letter is a client's message that waits, and when it came.
type letter struct {
	text []byte
	at   time.Time
}

// receive takes a message from the reading goroutine. It never waits.
func (s *Session) receive(message []byte) {
	s.received++
	if !s.arrivals.take(s.all.o.MessageRate, s.all.o.MessageBurst) {
		s.Close(protocol.CloseRate, "")
		return
	}
	s.mu.Lock()
	full := s.waiting+len(message) > s.all.o.MailboxBytes && s.waiting > 0
	if !full && s.state == Open {
		s.mailbox = append(s.mailbox, letter{message, time.Now()})
		s.waiting += len(message)
		if !s.working {
			s.working = true
			go s.work()
		}
	}
	s.mu.Unlock()
	if full {
		s.Close(protocol.CloseRate, "")
	}
}

// work handles the mailbox until it is empty. After a panic the session is
// closing, and working stays set: nothing more is handled.
func (s *Session) work() {
	defer func() {
		if p := recover(); p != nil {
			s.crashed(p)
		}
	}()
	for {
		message, ctx, cancel := s.next()
		if message == nil {
			return
		}
		func() {
			defer cancel()
			s.handle(ctx, message)
		}()
	}
}

// next takes the oldest message, with a context that ends with the connection
// or when the answer is due, counted from the message's arrival. A nil message ends the working goroutine.
func (s *Session) next() ([]byte, context.Context, context.CancelFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != Open || len(s.mailbox) == 0 {
		s.working, s.mailbox, s.waiting, s.cancel = false, nil, 0, nil
		return nil, nil, nil
	}
	message, at := s.mailbox[0].text, s.mailbox[0].at
	s.mailbox[0] = letter{}
	s.mailbox = s.mailbox[1:]
	s.waiting -= len(message)
	ctx, cancel := context.WithDeadline(context.Background(), at.Add(s.all.o.AnswerTimeout))
	s.cancel = cancel
	if message == nil {
		message = []byte{} // an empty message is still one
	}
	return message, ctx, cancel
}
