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

// lingerTime is how long finish waits for the client's end of file after the close frame
// was sent. Closing a socket with unread bytes resets the connection, and the client or a
// proxy might then never read the close frame.
const lingerTime = time.Second

// lingerBytes is how many bytes are read and discarded during that time. If the client
// sends more, the rest stays unread until lingerTime is over.
const lingerBytes = 256 << 10

// read waits for the client's next text message and returns it: at most MaxMessage bytes
// of valid UTF-8. Meanwhile it handles control frames. Messages that arrive after Close
// are discarded. errQuiet means that the connection can become idle, any other error that
// it is over: call finish.
func (c *Conn) read() ([]byte, error) {
	if c.reading.ws == nil {
		ws, err := newReader((*wire)(c))
		if err != nil {
			return nil, err
		}
		c.reading.ws = ws
	}
	for {
		_, message, err := c.reading.ws.Read(context.Background())
		if err != nil {
			return nil, fmt.Errorf("read message: %w", err)
		}
		if !c.open() {
			continue
		}
		if !utf8.Valid(message) {
			c.invalidText()
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

func (c *Conn) invalidText() { c.Close(protocol.CloseInvalidUTF8, "") }

// dropLibrary closes the library's object, which ends its goroutine. It sends no frame
// and does not touch the socket.
func (c *Conn) dropLibrary() {
	r := c.reading
	if r == nil || r.ws == nil {
		return
	}
	r.dropping.Store(true)
	_ = r.ws.CloseNow()
	r.ws = nil
	r.dropping.Store(false)
}

// finish ends the connection after read has failed. It waits, at most CloseTimeout and a
// second, until the close frame is sent and the client has hung up, then closes the
// socket. It returns how the connection ended.
func (c *Conn) finish() Ending {
	c.dropLibrary()
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

// hangUpLocked sends our end of file and gives the client lingerTime to send its own.
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
