package rabbit

import (
	"net"
	"sync"
	"time"
)

// afterGate is how long a connection that was not read may be silent: the library's
// own deadline, which the next frame sets anew, may be over by then.
const afterGate = 10 * time.Second

// gate keeps a connection from being read while it is shut, so that what is read and
// not used yet stays bounded. The zero gate is open. Its methods may be called
// concurrently.
type gate struct {
	mu      sync.Mutex
	opened  chan struct{} // guarded by mu; not nil while it is shut
	removed bool          // guarded by mu; it is never shut again
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.opened == nil && !g.removed {
		g.opened = make(chan struct{})
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.openLocked()
}

func (g *gate) openLocked() {
	if g.opened != nil {
		close(g.opened)
		g.opened = nil
	}
}

func (g *gate) remove() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.removed = true
	g.openLocked()
}

// pass waits until the gate is open.
func (g *gate) pass(conn net.Conn) {
	g.mu.Lock()
	opened := g.opened
	g.mu.Unlock()
	if opened == nil {
		return
	}
	<-opened
	_ = conn.SetReadDeadline(time.Now().Add(afterGate)) // it fails when the connection has ended
}
