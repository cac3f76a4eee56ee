package wsconn

import (
	"errors"
	"os"
	"sync"
	"time"

	"belfry/pkg/protocol"
)

const (
	joinSize  = 64 << 10 // most bytes of one write
	slowSize  = 16 << 10 // buffer in which a slow connection joins chunks
	directMin = 4 << 10  // chunks of at least this many bytes are written without a copy
)

// joinBuffers are the buffers in which Flush joins chunks. None is held across calls.
var joinBuffers = sync.Pool{New: func() any { return new([joinSize]byte) }}

// Push puts chunk, one or more whole frames, into the outbox. The chunk is not copied:
// neither side may change it afterwards. It reports false if the chunk was not accepted,
// because the connection is closing or because this chunk would overflow the outbox,
// which closes the connection with 4408.
//
// Push writes nothing, unless the outbox would overflow: call Flush.
func (c *Conn) Push(chunk []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase != phaseOpen {
		return false
	}
	if c.waiting+len(chunk) > c.opts.Outbox && c.waiting > 0 {
		c.flushLocked() // the socket may have room
		if c.waiting+len(chunk) > c.opts.Outbox && c.waiting > 0 {
			c.closeLocked(Ending{ByGateway, protocol.CloseTooSlow}, tooSlowReason)
			return false
		}
	}
	if c.queue == nil {
		c.queue = c.inline[:0]
	}
	c.queue = append(c.queue, chunk)
	c.waiting += len(chunk)
	return true
}

var tooSlowReason = reasonOf(protocol.CloseTooSlow)

func reasonOf(code protocol.CloseCode) string {
	rule, _ := code.Rule()
	return rule.Reason
}

// Flush writes as much of the outbox as the socket accepts without blocking. If anything
// remains, a goroutine writes it and ends when the outbox is empty.
func (c *Conn) Flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flushLocked()
}

// Send is Push followed by Flush.
func (c *Conn) Send(chunk []byte) bool {
	accepted := c.Push(chunk)
	c.Flush()
	return accepted
}

func (c *Conn) flushLocked() {
	if c.slow || c.phase == phaseDead {
		return
	}
	for len(c.queue) > 0 {
		n, want, err := c.writeOnceLocked()
		c.advanceLocked(n)
		c.waiting -= n
		switch {
		case err != nil:
			c.dieLocked()
			return
		case n < want:
			c.slow = true
			c.opts.Slow.Add(1)
			go c.writeSlowly()
			return
		}
	}
	c.emptyLocked()
}

// writeOnceLocked makes one non-blocking write. want is how many bytes were offered to
// the socket; n, how many it accepted, may be less and may be 0.
func (c *Conn) writeOnceLocked() (n, want int, err error) {
	if c.fd == nil {
		return 0, 1, nil
	}
	if head := c.queue[0][c.offset:]; len(c.queue) == 1 || len(head) >= joinSize {
		n, err = writeNow(c.fd, head)
		return n, len(head), err
	}
	buf := joinBuffers.Get().(*[joinSize]byte)
	defer joinBuffers.Put(buf)
	joined := c.joinLocked(buf[:])
	n, err = writeNow(c.fd, joined)
	return n, len(joined), err
}

// joinLocked copies the front of the queue into buf. The queue stays as it is.
func (c *Conn) joinLocked(buf []byte) []byte {
	n := copy(buf, c.queue[0][c.offset:])
	for _, chunk := range c.queue[1:] {
		if n == len(buf) {
			break
		}
		n += copy(buf[n:], chunk)
	}
	return buf[:n]
}

// advanceLocked removes n bytes from the front of the queue.
func (c *Conn) advanceLocked(n int) {
	done := 0
	for ; done < len(c.queue) && n >= len(c.queue[done])-c.offset; done++ {
		n -= len(c.queue[done]) - c.offset
		c.offset = 0
		c.queue[done] = nil
	}
	if done == len(c.queue) {
		// Free the backing array of a burst, and its first chunk: the connection may
		// be idle for long.
		c.inline[0] = nil
		c.queue = c.inline[:0]
		return
	}
	c.queue = c.queue[done:]
	c.offset += n
}

// emptyLocked is called when the outbox is empty. If the close frame was the last thing
// in it, it sends the end of file.
func (c *Conn) emptyLocked() {
	if c.phase == phaseClosing && c.finished {
		c.hangUpLocked()
	}
}

// writeSlowly writes, blocking, until the outbox is empty. It is the only writer while
// c.slow is set.
func (c *Conn) writeSlowly() {
	defer c.opts.Slow.Add(-1)
	buf := make([]byte, slowSize)
	piece := c.nextPiece(buf, 0)
	for piece != nil {
		n, err := c.raw.Write(piece)
		if err != nil && !c.mayContinue(err) {
			c.CloseNow()
			c.nextPiece(nil, len(piece))
			return
		}
		if piece = piece[n:]; len(piece) == 0 {
			piece = c.nextPiece(buf, n)
			continue
		}
		c.written(n)
	}
}

func (c *Conn) written(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting -= n
}

// nextPiece accounts for the bytes written last and returns the next piece, all of which
// the slow writer must write. nil means that the slow writer must end.
func (c *Conn) nextPiece(buf []byte, wrote int) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting -= wrote
	if c.phase == phaseDead || len(c.queue) == 0 {
		c.slow = false
		if c.phase != phaseDead {
			_ = c.raw.SetWriteDeadline(time.Time{})
			c.emptyLocked()
		}
		return nil
	}
	deadline := time.Now().Add(c.opts.WriteTimeout)
	if c.phase == phaseClosing {
		deadline = c.closeBy
	}
	_ = c.raw.SetWriteDeadline(deadline)
	piece := c.queue[0][c.offset:]
	if len(piece) >= directMin || len(c.queue) == 1 {
		piece = piece[:min(len(piece), joinSize)]
	} else {
		piece = c.joinLocked(buf)
	}
	c.advanceLocked(len(piece))
	return piece
}

// mayContinue reports whether the slow writer may go on after a failed write. The first
// time-out of an open connection closes it as too slow, and there is time left to send
// the close frame.
func (c *Conn) mayContinue(err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == phaseOpen {
		c.closeLocked(Ending{ByGateway, protocol.CloseTooSlow}, tooSlowReason)
		return true
	}
	return c.phase == phaseClosing && time.Now().Before(c.closeBy)
}
