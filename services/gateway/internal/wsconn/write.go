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
	slowSize  = 16 << 10 // the joining buffer of a slow connection
	directMin = 4 << 10  // rows at least this long are written without a copy
)

// joinBuffers are for the writes of Flush; none is kept across a call.
var joinBuffers = sync.Pool{New: func() any { return new([joinSize]byte) }}

// Push puts row, one or more whole frames, into the outbox. The row is shared:
// neither side may change it. It reports false when the row was not taken,
// because the connection is ending or, by this very row, too slow.
//
// Nothing is written yet (unless the outbox would overflow): call Flush.
func (c *Conn) Push(row []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase != phaseOpen {
		return false
	}
	if c.waiting+len(row) > c.opts.Outbox && c.waiting > 0 {
		c.flushLocked() // the socket may have room, only nobody tried
		if c.waiting+len(row) > c.opts.Outbox && c.waiting > 0 {
			c.closeLocked(Ending{ByGateway, protocol.CloseTooSlow}, tooSlowReason)
			return false
		}
	}
	if c.queue == nil {
		c.queue = c.inline[:0]
	}
	c.queue = append(c.queue, row)
	c.waiting += len(row)
	return true
}

var tooSlowReason = reasonOf(protocol.CloseTooSlow)

func reasonOf(code protocol.CloseCode) string {
	rule, _ := code.Rule()
	return rule.Reason
}

// Flush writes what waits as far as the socket takes it at once, all in one
// write. The rest is written by a goroutine that lives while the socket is slow.
func (c *Conn) Flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flushLocked()
}

// Send is Push and Flush of one row.
func (c *Conn) Send(row []byte) bool {
	taken := c.Push(row)
	c.Flush()
	return taken
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

// writeOnceLocked tries one write that does not block. want is how much was
// offered; n may be less, also 0.
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

// joinLocked copies the front of the queue into buf, without taking it.
func (c *Conn) joinLocked(buf []byte) []byte {
	n := copy(buf, c.queue[0][c.offset:])
	for _, row := range c.queue[1:] {
		if n == len(buf) {
			break
		}
		n += copy(buf[n:], row)
	}
	return buf[:n]
}

// advanceLocked takes n bytes off the front of the queue.
func (c *Conn) advanceLocked(n int) {
	done := 0
	for ; done < len(c.queue) && n >= len(c.queue[done])-c.offset; done++ {
		n -= len(c.queue[done]) - c.offset
		c.offset = 0
		c.queue[done] = nil
	}
	if done == len(c.queue) {
		// Neither the backing array of a burst nor its first row is kept for an
		// idle connection.
		c.inline[0] = nil
		c.queue = c.inline[:0]
		return
	}
	c.queue = c.queue[done:]
	c.offset += n
}

// emptyLocked is called when all is written; after the close frame the client
// is told that no more bytes come.
func (c *Conn) emptyLocked() {
	if c.phase == phaseClosing && c.finished {
		c.hangUpLocked()
	}
}

// writeSlowly writes until the outbox is empty, then ends. It is the only
// writer while c.slow is set.
func (c *Conn) writeSlowly() {
	defer c.opts.Slow.Add(-1)
	buf := make([]byte, slowSize)
	piece := c.takePiece(buf, 0)
	for piece != nil {
		n, err := c.raw.Write(piece)
		if err != nil && !c.mayGoOn(err) {
			c.CloseNow()
			c.takePiece(nil, len(piece))
			return
		}
		if piece = piece[n:]; len(piece) == 0 {
			piece = c.takePiece(buf, n)
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

// takePiece accounts for the bytes last written and gives the next piece to the
// slow writer, who must write all of it. nil ends the slow writer.
func (c *Conn) takePiece(buf []byte, wrote int) []byte {
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

// mayGoOn decides after a failed write. The first time-out of an open
// connection closes it as too slow, which leaves time for the close frame.
func (c *Conn) mayGoOn(err error) bool {
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
