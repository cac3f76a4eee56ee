package wsconn

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
)

const (
	pollBatch  = 128      // events that one epoll_wait returns at most
	pollBuffer = 32 << 10 // bytes that are read at once from one connection at most
)

// Poller waits for bytes of all idle connections with one goroutine and one epoll
// instance (epoll(7), level-triggered). It reads without blocking, at most pollBuffer
// bytes of a connection before it turns to the next.
//
// Descriptors are used only inside syscall.RawConn, whose lock prevents that one is
// closed, and its number given to another connection, during the call. An event carries
// a place in a table and the place's generation instead of a descriptor: if the
// connection has left the place since, the event is ignored.
type Poller struct {
	file  *os.File // the epoll instance; Go's runtime waits until it is readable
	epoll syscall.RawConn
	ended chan struct{}

	// Owned by the polling goroutine.
	buf     []byte
	events  [pollBatch]syscall.EpollEvent
	library library

	mu     sync.Mutex
	places []place
	free   []uint32 // places without a connection
}

// place is an entry of the table that events refer to.
type place struct {
	conn       *Conn  // nil: free
	generation uint32 // changes with every connection; may wrap
}

// NewPoller makes a poller. Until Open, no connection waits in it.
func NewPoller() *Poller { return &Poller{} }

// Open starts the poller. Call it once, before the first connection. After an error no
// connection waits in it; each has a goroutine that reads.
func (p *Poller) Open() error {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("make an epoll instance: %w", err)
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		_ = syscall.Close(fd)
		return fmt.Errorf("make the epoll instance non-blocking: %w", err)
	}
	file := os.NewFile(uintptr(fd), "epoll")
	if p.epoll, err = file.SyscallConn(); err != nil {
		_ = file.Close()
		return fmt.Errorf("use the epoll instance: %w", err)
	}
	p.file, p.ended, p.buf = file, make(chan struct{}), make([]byte, pollBuffer)
	go p.run()
	return nil
}

// open reports whether Open has succeeded. The poller may be closed since.
func (p *Poller) open() bool { return p.file != nil }

// Close stops the poller and waits for its goroutine. Close the connections before: one
// that still waits is not read any more.
func (p *Poller) Close() error {
	if !p.open() {
		return nil
	}
	err := p.file.Close()
	<-p.ended
	if err != nil {
		return fmt.Errorf("close the epoll instance: %w", err)
	}
	return nil
}

func (p *Poller) run() {
	defer close(p.ended)
	defer p.library.close()
	var n int
	var failed error
	look := func(fd uintptr) (done bool) {
		n, failed = syscall.EpollWait(int(fd), p.events[:], 0)
		return n > 0 || failed != nil && !errors.Is(failed, syscall.EINTR)
	}
	in := newReadTry()
	for {
		if err := p.epoll.Read(look); err != nil || failed != nil {
			return // closed: epoll_wait(2) has no other errors for valid arguments
		}
		for i := range n {
			if c := p.find(p.events[i]); c != nil {
				p.serve(c, in)
			}
		}
	}
}

// serve reads from an idle connection and handles what it has read, or starts the
// connection's own goroutine for it.
func (p *Poller) serve(c *Conn, in *readTry) {
	if !c.lend() {
		return // its own goroutine reads
	}
	n, err := in.on(c.fd, p.buf)
	switch {
	case err == nil && (n == 0 || c.quick(p.buf[:n], &p.library)):
		c.giveBack()
	default:
		c.reading = &reading{early: bytes.Clone(p.buf[:n]), err: err}
		c.readAlone()
	}
}

// find returns the connection of an event, or nil if it has left its place.
func (p *Poller) find(e syscall.EpollEvent) *Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, generation := uint32(e.Fd), uint32(e.Pad)
	if at >= uint32(len(p.places)) || p.places[at].generation != generation {
		return nil
	}
	return p.places[at].conn
}

// add gives c a place and starts to wait for its bytes. If it returns false, the caller
// must read by itself.
func (p *Poller) add(c *Conn) bool {
	if !p.open() {
		return false
	}
	at, generation := p.take(c)
	e := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(at), Pad: int32(generation)}
	if err := p.control(c.fd, syscall.EPOLL_CTL_ADD, &e); err != nil {
		p.release(at)
		return false
	}
	c.place = at
	return true
}

// remove takes c out of its place. Whoever reads from c calls it, before the descriptor
// is closed.
func (p *Poller) remove(c *Conn) {
	// This fails only if the descriptor or the poller is closed; then the kernel has
	// removed the descriptor already.
	_ = p.control(c.fd, syscall.EPOLL_CTL_DEL, &syscall.EpollEvent{})
	p.release(c.place)
}

func (p *Poller) control(conn syscall.RawConn, op int, e *syscall.EpollEvent) error {
	var closed, failed error
	err := p.epoll.Control(func(epoll uintptr) {
		closed = conn.Control(func(fd uintptr) {
			failed = syscall.EpollCtl(int(epoll), op, int(fd), e)
		})
	})
	return errors.Join(err, closed, failed)
}

func (p *Poller) take(c *Conn) (at, generation uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if last := len(p.free) - 1; last >= 0 {
		at, p.free = p.free[last], p.free[:last]
	} else {
		at = uint32(len(p.places))
		p.places = append(p.places, place{})
	}
	p.places[at].conn = c
	p.places[at].generation++
	return at, p.places[at].generation
}

func (p *Poller) release(at uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.places[at].conn = nil
	p.places[at].generation++
	p.free = append(p.free, at)
}

// readTry is one non-blocking read from a descriptor. Its function is made once, so that
// a read allocates nothing.
type readTry struct {
	p   []byte
	n   int
	err error
	run func(fd uintptr) (done bool)
}

func newReadTry() *readTry {
	a := new(readTry)
	a.run = func(fd uintptr) bool {
		for {
			a.n, a.err = syscall.Read(int(fd), a.p)
			if !errors.Is(a.err, syscall.EINTR) {
				return true // also on EAGAIN: never wait
			}
		}
	}
	return a
}

// on reads into p. It returns 0 without an error if there is nothing to read, and io.EOF
// at the end.
func (a *readTry) on(conn syscall.RawConn, p []byte) (int, error) {
	a.p = p
	if err := conn.Read(a.run); err != nil {
		return 0, err //nolint:wrapcheck // as net.Conn's own
	}
	switch {
	case errors.Is(a.err, syscall.EAGAIN):
		return 0, nil
	case a.err != nil:
		return 0, os.NewSyscallError("read", a.err)
	case a.n == 0:
		return 0, io.EOF
	}
	return a.n, nil
}
