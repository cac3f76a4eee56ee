package wsconn

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"
	"unicode/utf8"

	"belfry/pkg/protocol"
)

// lingerTime bounds the wait for the client's end of file after the close
// frame is out. Closing a socket that has unread bytes resets it, and the close
// frame would be lost on its way.
const lingerTime = time.Second

// lingerBytes bounds what is read meanwhile. Who goes on writing is then left
// waiting: a reset would keep a proxy from passing the close frame on.
const lingerBytes = 256 << 10

// Read waits for the client's next text message, at most MaxMessage bytes of
// valid UTF-8. Control frames are handled meanwhile, and what comes after Close
// is thrown away. Its error means that the connection is over: call Finish.
func (c *Conn) Read() ([]byte, error) {
	for {
		_, message, err := c.ws.Read(context.Background())
		if err != nil {
			return nil, fmt.Errorf("read message: %w", err)
		}
		if !c.open() {
			continue
		}
		if !utf8.Valid(message) {
			c.Close(protocol.CloseInvalidUTF8, "")
			continue
		}
		return message, nil
	}
}

func (c *Conn) open() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.phase == phaseOpen
}

// Finish ends the connection after Read has failed: it waits, in bounded time,
// until the close frame is out and the client has hung up, and frees the
// socket. It returns how the connection ended.
func (c *Conn) Finish() Ending {
	_ = c.ws.CloseNow() // ends the library's goroutine; no frame, no socket is touched
	if c.beginLinger() {
		if _, err := io.CopyN(io.Discard, c.raw, lingerBytes); err == nil {
			timer := time.NewTimer(lingerTime)
			<-timer.C
		}
	}
	c.mu.Lock()
	c.dieLocked()
	end := c.ending
	c.mu.Unlock()
	_ = c.raw.Close()
	return end
}

// beginLinger reports false when there is nothing to wait for.
func (c *Conn) beginLinger() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase != phaseClosing {
		return false
	}
	c.finished = true
	_ = c.raw.SetReadDeadline(c.closeBy)
	if !c.slow && len(c.queue) == 0 {
		c.hangUpLocked()
	}
	return true
}

// hangUpLocked sends the end of file and waits no longer than lingerTime.
func (c *Conn) hangUpLocked() {
	if half, ok := c.raw.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	deadline := time.Now().Add(lingerTime)
	if deadline.After(c.closeBy) {
		deadline = c.closeBy
	}
	_ = c.raw.SetReadDeadline(deadline)
}

var _ net.Conn = (*wire)(nil)
