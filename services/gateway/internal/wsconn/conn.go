package wsconn

import (
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"nhooyr.io/websocket"

	"belfry/pkg/protocol"
)

// By says who ended a connection.
type By string

// Who ended a connection. ByNobody: it broke, or the client fell silent.
const (
	ByGateway By = "gateway"
	ByClient  By = "client"
	ByNobody  By = "lost"
)

// Ending is how a connection ended. The zero value means that it has not.
type Ending struct {
	By   By
	Code protocol.CloseCode // 0 when nobody closed it
}

// Label is the ending's name in metrics and reports: the label of the close
// code's rule when the gateway closed, else "client" or "lost".
func (e Ending) Label() string {
	if e.By != ByGateway {
		return string(e.By)
	}
	rule, _ := e.Code.Rule()
	return rule.Label
}

// phase of a connection: only forward.
type phase uint8

const (
	phaseOpen    phase = iota
	phaseClosing       // a close frame is the last thing in the outbox, or was sent
	phaseDead          // nothing more is written
)

// Conn is one websocket connection of a client, after the handshake.
type Conn struct {
	opts *Options
	raw  net.Conn
	fd   syscall.RawConn // nil when raw has no descriptor: then all writes are slow
	ws   *websocket.Conn

	// Owned by the reading goroutine.
	early []byte // what the HTTP server had read beyond the request
	kept  keep
	scan  scanner

	// Written by the reading goroutine, read by the sweep.
	received   atomic.Uint32 // reads that brought bytes; may wrap
	unfinished atomic.Int64  // when the unfinished message began, unix ns; or 0

	// Owned by the sweep.
	nextPing time.Time
	atPing   uint32 // received at the last ping
	missed   uint8

	mu       sync.Mutex
	queue    [][]byte // rows of whole frames; guarded by mu
	inline   [1][]byte
	offset   int // bytes of queue[0] that are written or with the writer; guarded by mu
	waiting  int // bytes in queue beyond offset, and with the writer; guarded by mu
	slow     bool
	phase    phase
	ending   Ending
	finished bool      // Finish is waiting for the client's end of file; guarded by mu
	closeBy  time.Time // when the closing ends; guarded by mu
}

// Close sends what waits, then a close frame with the code and reason, and
// leaves the rest to the reading goroutine. An empty reason means the constant
// one of protocol.CloseRules. Only the first Close of a connection counts.
func (c *Conn) Close(code protocol.CloseCode, reason string) {
	if reason == "" {
		rule, _ := code.Rule()
		reason = rule.Reason
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closeLocked(Ending{ByGateway, code}, reason)
}

// CloseNow drops the connection without a close frame: the client is not there.
func (c *Conn) CloseNow() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dieLocked()
}

func (c *Conn) closeLocked(e Ending, reason string) {
	if c.phase != phaseOpen {
		return
	}
	c.phase, c.ending = phaseClosing, e
	c.closeBy = time.Now().Add(c.opts.CloseTimeout)
	if e.By == ByGateway && e.Code == protocol.CloseTooSlow {
		c.dropLocked()
	}
	frame := frameClose(e.Code, reason)
	c.queue = append(c.queue, frame)
	c.waiting += len(frame)
	// Reads go on until the client has answered, and no longer than this.
	_ = c.raw.SetReadDeadline(c.closeBy)
	if c.slow {
		_ = c.raw.SetWriteDeadline(c.closeBy)
	}
	c.flushLocked()
}

// dropLocked throws away what was not begun, so that a close frame is next.
// A frame of which bytes are out is kept, or the client could not read on.
func (c *Conn) dropLocked() {
	if len(c.queue) == 0 {
		return
	}
	var kept []byte
	if c.offset > 0 {
		kept = c.queue[0][:frameEnd(c.queue[0], c.offset)]
	}
	for i, chunk := range c.queue {
		c.waiting -= len(chunk)
		c.queue[i] = nil
	}
	c.waiting += c.offset
	c.queue = c.queue[:0]
	if c.offset == len(kept) {
		c.offset = 0
		return
	}
	c.queue = append(c.queue, kept)
	c.waiting += len(kept) - c.offset
}

// dieLocked ends every read and write at once.
func (c *Conn) dieLocked() {
	if c.phase == phaseDead {
		return
	}
	c.phase = phaseDead
	if c.ending == (Ending{}) {
		c.ending = Ending{By: ByNobody}
	}
	_ = c.raw.SetDeadline(time.Unix(1, 0))
}
