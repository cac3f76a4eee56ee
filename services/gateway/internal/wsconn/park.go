package wsconn

import (
	"errors"
	"unicode/utf8"
)

// errQuiet ends a read of the library's between two messages, where nothing more
// has come. The library keeps nothing of the connection then.
var errQuiet = errors.New("nothing to read now")

// reader says who reads a connection.
type reader uint8

const (
	readerNone   reader = iota // Serve was not called yet
	readerParked               // nobody: the poller waits for bytes
	readerPoller               // the poller, which does not block
	readerAlone                // a goroutine of the connection's own
)

// Handler is told what happens to a connection. Receive and Ended are called by one
// goroutine at a time, which may be the poller's: Receive must not block.
type Handler interface {
	// Receive takes a client's text message, at most MaxMessage bytes of valid UTF-8.
	Receive(message []byte)
	// Crashed is told of a panic of Receive. It closes the connection.
	Crashed(panicked any)
	// Ended is called once, last, on a goroutine of its own: the socket is closed.
	Ended(Ending)
}

// Serve hands what the connection receives to h until it has ended. It is called
// once, does not block, and may be called on a connection that is closed already.
func (c *Conn) Serve(h Handler) {
	c.handler = h
	if c.mayPark() && c.park() {
		return
	}
	c.mu.Lock()
	c.reader = readerAlone
	c.mu.Unlock()
	go c.readOn()
}

// mayPark reports that the connection stands between two messages, so that the
// library need not wait for the next bytes. The one who reads calls it.
func (c *Conn) mayPark() bool {
	return c.opts.Poller != nil && c.opts.Poller.open() && c.fd != nil && !c.unparkable &&
		len(c.reading.early) == 0 && c.reading.err == nil && c.reading.held.empty() &&
		c.scan.broken == 0 && !c.scan.ended && !c.scan.unfinished() && c.open()
}

// park gives the library's object up and leaves the waiting to the poller. It
// reports false where the caller must read on. After true the connection is no
// longer the caller's.
func (c *Conn) park() bool {
	c.dropLibrary()
	kept := c.reading
	c.reading = nil // before the poller may read
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == phaseOpen && c.opts.Poller.add(c) {
		c.reader = readerParked
		return true
	}
	c.unparkable, c.reading = true, kept
	return false
}

// unpark makes the poller the one who reads; false: somebody else does.
func (c *Conn) unpark() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reader != readerParked {
		return false
	}
	c.reader = readerPoller
	return true
}

// parkAgain ends the poller's reading. A connection that was closed meanwhile goes
// on with a goroutine that may wait for the client's answer.
func (c *Conn) parkAgain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reader = readerParked
	if c.phase != phaseOpen {
		c.wakeLocked()
	}
}

// readAlone ends the poller's reading, too, but more is to be done than it may do.
func (c *Conn) readAlone() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reader = readerParked
	c.wakeLocked()
}

// wakeLocked starts a goroutine that reads a parked connection. Whoever closes a
// connection calls it, because the end of one takes waiting.
func (c *Conn) wakeLocked() {
	if c.reader == readerParked {
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

// readOn reads with the library until the connection can be parked or has ended.
func (c *Conn) readOn() {
	if c.readMessages() {
		return
	}
	c.handler.Ended(c.finish())
}

// readMessages reports that the connection was parked and is no longer the
// caller's; otherwise it is over.
func (c *Conn) readMessages() (parked bool) {
	defer func() { // a panic ends the connection that it belongs to, and no other
		if p := recover(); p != nil {
			c.handler.Crashed(p)
		}
	}()
	for {
		message, err := c.read()
		switch {
		case errors.Is(err, errQuiet):
			if c.park() {
				return true
			}
		case err != nil:
			return false
		default:
			c.handler.Receive(message)
		}
	}
}

// quick handles bytes that need no waiting: whole frames, each a text message, a
// ping or a pong. It reports false, having done nothing, for everything else. The
// poller calls it.
func (c *Conn) quick(p []byte, l *library) (handled bool) {
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
	defer func() {
		if p := recover(); p != nil {
			l.close()
			c.handler.Crashed(p)
		}
	}()
	for len(p) > 0 && c.open() {
		size, _ := frameSize(p)
		// The library has nothing to do with a pong: it sends no pings.
		if p[0] != fin|opPong && !c.quickFrame(p[:size], l) {
			return true
		}
		p = p[size:]
	}
	return true
}

// quickFrame reports false when the connection is over.
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

// simple reports that p is whole frames that stand for themselves.
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
