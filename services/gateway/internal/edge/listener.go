package edge

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"belfry/pkg/protocol"
)

// spareConnections may be open in front of the upgrade, beside MaxConnections
// websockets: requests under way, and clients that have sent nothing yet.
const spareConnections = 512

// spareDescriptors are left to everything that is no client: the admin listener with
// its health checks and metrics, links to the broker, files.
const spareDescriptors = 64

// Listener counts connections from their accept to their close, so that what never
// becomes a websocket is bounded, too. A connection over the bounds is closed at once.
type Listener struct {
	net.Listener
	most, perAddress int
	trusted          func(netip.Addr) bool
	refused          prometheus.Counter

	mu        sync.Mutex
	all       int
	addresses map[netip.Addr]int
}

// Limit makes a listener of the door that keeps its bounds. A trusted proxy's
// connections are many clients', and count for the process alone.
func (e *Edge) Limit(l net.Listener) *Listener {
	most := e.o.MaxConnections + spareConnections
	if descriptors := openFiles(); descriptors > 0 && most > descriptors-spareDescriptors {
		most = max(descriptors-spareDescriptors, 1)
		e.o.Logger.Warn("the limit of open files is below BELFRY_MAX_CONNECTIONS, fewer clients are let in: raise the limit (LimitNOFILE, ulimit -n)",
			zap.Int("open_files", descriptors), zap.Int("connections", most))
	}
	return &Listener{
		Listener: l, most: most, perAddress: e.o.MaxPerAddress + spareConnections, trusted: e.trusted,
		refused: e.metrics.unaccepted, addresses: map[netip.Addr]int{},
	}
}

// Accept returns the next connection within the bounds.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		address := protocol.ClientAddr(socketAddr(c.RemoteAddr().String()))
		if l.count(address) {
			return &counted{Conn: c, listener: l, address: address}, nil
		}
		l.refused.Inc()
		_ = c.Close()
	}
}

func (l *Listener) count(address netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all >= l.most || l.addresses[address] >= l.perAddress && !l.trusted(address) {
		return false
	}
	l.all++
	l.addresses[address]++
	return true
}

func (l *Listener) discount(address netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	lessOne(l.addresses, address)
}

// counted gives its place back when it is closed, once.
type counted struct {
	net.Conn
	listener *Listener
	address  netip.Addr
	closed   sync.Once
}

// SyscallConn gives the way to the descriptor, for frames that are written without
// waiting.
func (c *counted) SyscallConn() (syscall.RawConn, error) {
	raw, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.New("the connection has no descriptor")
	}
	return raw.SyscallConn()
}

// SetWriteBuffer sizes the socket's own buffer, in bytes.
func (c *counted) SetWriteBuffer(bytes int) error {
	if sized, ok := c.Conn.(interface{ SetWriteBuffer(bytes int) error }); ok {
		return sized.SetWriteBuffer(bytes)
	}
	return errors.New("the connection has no buffer of its own")
}

func (c *counted) Close() error {
	c.closed.Do(func() { c.listener.discount(c.address) })
	return c.Conn.Close()
}
