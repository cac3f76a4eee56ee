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

// receive puts a message into the mailbox. The reading goroutine calls it, so it
// never blocks.
func (c *Conn) receive(message []byte) {
	c.received++
	if !c.arrivals.take(c.all.o.MessageRate, c.all.o.MessageBurst) {
		c.Close(protocol.CloseRate, "")
		return
	}
	c.mu.Lock()
	full := c.waiting+len(message) > c.all.o.MailboxBytes && c.waiting > 0
	if !full && c.state == Open {
		c.mailbox = append(c.mailbox, letter{message, time.Now()})
		c.waiting += len(message)
		if !c.working {
			c.working = true
			go c.work()
		}
	}
	c.mu.Unlock()
	if full {
		c.Close(protocol.CloseRate, "")
	}
}

// work handles the mailbox until it is empty. After a panic the connection is
// closing, and working stays set: nothing more is handled.
func (c *Conn) work() {
	defer func() {
		if p := recover(); p != nil {
			c.crashed(p)
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
	if c.state != Open || len(c.mailbox) == 0 {
		c.working, c.mailbox, c.waiting, c.cancel = false, nil, 0, nil
		return nil, nil, nil
	}
	message, at := c.mailbox[0].text, c.mailbox[0].at
	c.mailbox[0] = letter{}
	c.mailbox = c.mailbox[1:]
	c.waiting -= len(message)
	ctx, cancel := context.WithDeadline(context.Background(), at.Add(c.all.o.AnswerTimeout))
	c.cancel = cancel
	if message == nil {
		message = []byte{} // an empty message is still one
	}
	return message, ctx, cancel
}
