package connection

import (
	"context"
	"time"

	"belfry/pkg/protocol"
)

// letter is a waiting client message and the time of its arrival.
type letter struct {
	text []byte
	at   time.Time
}

// mailbox is a client's messages that wait, and the goroutine that works on them. It
// is guarded by the connection's lock.
type mailbox struct {
	letters []letter
	bytes   int
	cancel  context.CancelFunc // of the question under way; nil: none
}

// put reports false when the message is too much beside those that wait.
func (m *mailbox) put(message []byte, most int) bool {
	if m.bytes+len(message) > most && m.bytes > 0 {
		return false
	}
	m.letters = append(m.letters, letter{message, time.Now()})
	m.bytes += len(message)
	return true
}

// take removes the oldest; there is one.
func (m *mailbox) take() letter {
	l := m.letters[0]
	m.letters[0] = letter{}
	m.letters = m.letters[1:]
	m.bytes -= len(l.text)
	return l
}

// stop throws away what waits, and ends the question under way.
func (m *mailbox) stop() {
	m.letters, m.bytes = nil, 0
	if m.cancel != nil {
		m.cancel()
	}
}

// Receive puts a message into the mailbox. Whoever reads calls it, so it never
// blocks. It implements wsconn.Handler.
func (c *Conn) Receive(message []byte) {
	c.received++
	if !c.arrivals.take(c.all.o.MessageRate, c.all.o.MessageBurst) {
		c.Close(protocol.CloseRate, "")
		return
	}
	c.mu.Lock()
	var full bool
	if c.state == Open {
		if c.mailbox == nil {
			c.mailbox = new(mailbox)
			go c.work()
		}
		full = !c.mailbox.put(message, c.all.o.MailboxBytes)
	}
	c.mu.Unlock()
	if full {
		c.Close(protocol.CloseRate, "")
	}
}

// work handles the mailbox until it is empty. After a panic the connection is
// closing, and the mailbox stays: nothing more is handled.
func (c *Conn) work() {
	defer func() {
		if p := recover(); p != nil {
			c.Crashed(p)
		}
	}()
	for {
		message, ctx, cancel := c.next()
		if message == nil {
			return
		}
		func() {
			defer cancel()
			c.handle(ctx, message)
		}()
	}
}

// next removes the oldest message. Its context ends with the connection or when
// the answer is due, counted from the message's arrival. A nil message means that
// the mailbox is empty: the working goroutine ends.
func (c *Conn) next() ([]byte, context.Context, context.CancelFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != Open || len(c.mailbox.letters) == 0 {
		c.mailbox = nil
		return nil, nil, nil
	}
	l := c.mailbox.take()
	ctx, cancel := context.WithDeadline(context.Background(), l.at.Add(c.all.o.AnswerTimeout))
	c.mailbox.cancel = cancel
	if l.text == nil {
		l.text = []byte{} // an empty message is still one
	}
	return l.text, ctx, cancel
}
