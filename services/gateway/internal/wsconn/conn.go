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

// Who ended a connection. ByNobody means that the network connection broke or the
// client went silent.
const (
	ByGateway By = "gateway"
	ByClient  By = "client"
	ByNobody  By = "lost"
)

// Ending says how a connection ended. The zero value means that it is still open.
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

// phase is where a connection is in its life. It only moves forward.
type phase uint8

const (
	phaseOpen    phase = iota
	phaseClosing       // a close frame is the last thing in the outbox, or was sent
	phaseDead          // nothing more is written
)

// Conn is one websocket connection of a client, after the handshake. What a
// delivery touches comes first: a thousand members are a thousand times these bytes.
type Conn struct {
	mu       sync.Mutex
	slow     bool
	phase    phase
	reader   reader
	finished bool     // finish is waiting for the client's end of file; guarded by mu
	queue    [][]byte // chunks in the outbox; guarded by mu
	inline   [1][]byte
	waiting  int             // bytes not written yet: queue beyond offset, and the slow writer's; guarded by mu
	offset   int             // bytes of queue[0] that are written or handed to the slow writer; guarded by mu
	fd       syscall.RawConn // nil if raw has no descriptor; then every write is a slow one
	opts     *Options
	raw      net.Conn

	ending  Ending    // guarded by mu
	closeBy time.Time // deadline of the closing handshake; guarded by mu

	// Owned by whoever reads: see type reader.
	handler  Handler
	reading  *reading // nil while idle
	scan     scanner
	place    uint32 // in the poller's table, while idle
	unpolled bool   // the poller did not take it; a goroutine reads

	// Written by whoever reads, read by the sweep.
	received   atomic.Uint32 // number of reads that returned bytes; may wrap
	unfinished atomic.Int64  // when the unfinished message began, Unix time in ns; 0: none

	// Owned by the sweep.
	nextPing time.Duration // since began; 0: not drawn yet
	atPing   uint32        // received at the last ping
	missed   uint8
}

// reading is what a connection needs while a goroutine reads from it.
type reading struct {
	ws       *websocket.Conn // nil: created by the next read
	early    []byte          // bytes that the HTTP server or the poller has read already
	err      error           // of the poller's read; comes after early
	held     holdback
	dropping atomic.Bool // ws is being closed, but the connection is not; read by the library's goroutine, too
}

// Close sends what is in the outbox (with CloseTooSlow: discards it), then a close frame
// with the code and reason. It does not wait; a goroutine that reads completes the close.
// An empty reason means the code's reason in protocol.CloseRules. Only the first Close of
// a connection has an effect.
func (c *Conn) Close(code protocol.CloseCode, reason string) {
	if reason == "" {
		rule, _ := code.Rule()
		reason = rule.Reason
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closeLocked(Ending{ByGateway, code}, reason)
}

// CloseNow drops the connection without a close frame, for a client that is not there
// any more.
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
	// Reads continue until the client has answered, at most until closeBy.
	_ = c.raw.SetReadDeadline(c.closeBy)
	if c.slow {
		_ = c.raw.SetWriteDeadline(c.closeBy)
	}
	c.flushLocked()
	c.wakeLocked()
}

// dropLocked discards all frames of which no byte has been written, so that a close
// frame can follow at once. A frame that is partly written stays, because the client
// could not find the start of the next one otherwise.
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

// dieLocked makes every read and write fail at once.
func (c *Conn) dieLocked() {
	if c.phase == phaseDead {
		return
	}
	c.phase = phaseDead
	if c.ending == (Ending{}) {
		c.ending = Ending{By: ByNobody}
	}
	_ = c.raw.SetDeadline(time.Unix(1, 0))
	c.wakeLocked()
}
