package wsconn

import (
	"errors"
	"unicode/utf8"
)

// errQuiet ends the library's read between two messages when no more bytes have
// arrived. At that point the library holds nothing of the connection.
var errQuiet = errors.New("nothing to read now")

// reader says who may read from a connection. It is guarded by Conn.mu.
type reader uint8

const (
	readerNone   reader = iota // Serve was not called yet
	readerIdle                 // nobody; the poller waits for bytes
	readerPoller               // the poller's goroutine, without blocking
	readerAlone                // the connection's own goroutine
)

// Handler handles one connection. Its methods are called by one goroutine at a time.
// For Receive and Crashed that may be the poller's: they must not block.
type Handler interface {
	// Receive handles a text message of the client: at most MaxMessage bytes of valid
	// UTF-8. It may keep the slice.
	Receive(message []byte)
	// Crashed is called after a panic while reading or in Receive. It closes the
	// connection.
	Crashed(panicked any)
	// Ended is called once, after everything else; the socket is closed.
	Ended(Ending)
}

// Serve starts reading: h handles the connection until it has ended. Call it once, also
// on a connection that Close was called for. It does not block.
func (c *Conn) Serve(h Handler) {
	c.handler = h
	if c.mayIdle() && c.becomeIdle() {
		return
	}
	c.mu.Lock()
	c.reader = readerAlone
	c.mu.Unlock()
	go c.readOn()
}

// mayIdle reports whether the connection is between two messages and can become idle.
// Whoever reads calls it.
func (c *Conn) mayIdle() bool {
	return c.opts.Poller != nil && c.opts.Poller.open() && c.fd != nil && !c.unpolled &&
		len(c.reading.early) == 0 && c.reading.err == nil && c.reading.held.empty() &&
		c.scan.broken == 0 && !c.scan.ended && !c.scan.unfinished() && c.open()
}

// becomeIdle drops the library's object and lets the poller wait for the connection. If it
// returns true, the caller must not read any more; if false, it must read on.
func (c *Conn) becomeIdle() bool {
	c.dropLibrary()
	kept := c.reading
	c.reading = nil // before the poller may read
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == phaseOpen && c.opts.Poller.add(c) {
		c.reader = readerIdle
		return true
	}
	c.unpolled, c.reading = true, kept
	return false
}

// lend lets the poller read. It returns false if another goroutine does.
func (c *Conn) lend() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reader != readerIdle {
		return false
	}
	c.reader = readerPoller
	return true
}

// giveBack ends the poller's reading. If the connection was closed meanwhile, a
// goroutine waits for the client's answer.
func (c *Conn) giveBack() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reader = readerIdle
	if c.phase != phaseOpen {
		c.wakeLocked()
	}
}

// readAlone ends the poller's reading and starts a goroutine that reads on.
func (c *Conn) readAlone() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reader = readerIdle
	c.wakeLocked()
}

// wakeLocked starts a goroutine that reads, if the connection is idle. Closing a
// connection calls it, because somebody must wait for the client's answer.
func (c *Conn) wakeLocked() {
	if c.reader == readerIdle {
		c.reader = readerAlone
		go c.leavePoller()
	}
}

func (c *Conn) leavePoller() {
	c.opts.Poller.remove(c)
	if c.reading == nil {
		c.reading = new(reading)
	}
	c.readOn()
}

// readOn reads with the library until the connection becomes idle or has ended.
func (c *Conn) readOn() {
	if c.readMessages() {
		return
	}
	c.handler.Ended(c.finish())
}

// readMessages returns true when the connection has become idle, and false when it is over.
func (c *Conn) readMessages() (idle bool) {
	defer func() { // a panic ends this connection only
		if p := recover(); p != nil {
			c.handler.Crashed(p)
		}
	}()
	for {
		message, err := c.read()
		switch {
		case errors.Is(err, errQuiet):
			if c.becomeIdle() {
				return true
			}
		case err != nil:
			return false
		default:
			c.handler.Receive(message)
		}
	}
}

// quick handles bytes that the poller has read, if they are whole frames, each a text
// message, a ping or a pong. For anything else it returns false and has changed nothing.
func (c *Conn) quick(p []byte, l *library) (handled bool) {
	defer func() { // a panic ends this connection only
		if p := recover(); p != nil {
			l.close()
			c.handler.Crashed(p)
		}
	}()
	scan := c.scan
	if !simple(p) {
		return false
	}
	if _, bad := scan.scan(p, c.opts); bad != 0 {
		return false
	}
	scan.boundary = false
	c.scan = scan
	c.received.Add(1)
	handled = true
	for len(p) > 0 && c.open() {
		size, _ := frameSize(p)
		// The library ignores pongs, because it sends no pings.
		if p[0] != fin|opPong && !c.quickFrame(p[:size], l) {
			return true
		}
		p = p[size:]
	}
	return true
}

// quickFrame returns false when the connection is over.
func (c *Conn) quickFrame(frame []byte, l *library) bool {
	message, err := l.read(c, frame)
	switch {
	case err != nil:
		c.CloseNow()
		return false
	case frame[0] != fin|opText:
	case !utf8.Valid(message):
		c.invalidText()
	default:
		c.handler.Receive(message)
	}
	return true
}

// simple reports whether p consists of whole frames, each a text message, a ping or a
// pong.
func simple(p []byte) bool {
	for len(p) > 0 {
		if first := p[0]; first != fin|opText && first != fin|opPing && first != fin|opPong {
			return false
		}
		size, whole := frameSize(p)
		if !whole {
			return false
		}
		p = p[size:]
	}
	return true
}
