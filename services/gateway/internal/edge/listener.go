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

// spareConnections is how many connections may be open beside MaxConnections websockets:
// requests that are not upgraded yet, and clients that have sent nothing yet.
const spareConnections = 512

// spareDescriptors is how many file descriptors are reserved for everything but clients:
// the admin listener with its health checks and metrics, links to the broker, files.
const spareDescriptors = 64

// Listener limits the open connections, from accept to close, so that those which never
// become a websocket are limited too. A connection over the limit is closed at once. It
// is safe for concurrent use.
type Listener struct {
	net.Listener
	most, perAddress int
	trusted          func(netip.Addr) bool
	refused          prometheus.Counter

	mu        sync.Mutex
	all       int
	addresses map[netip.Addr]int
}

// Limit wraps a listener with the limits of the options. Connections from a trusted proxy
// belong to many clients, so they only count towards the limit of the process. Limit logs
// a warning if the process may not open enough files.
func (e *Edge) Limit(l net.Listener) *Listener {
	most := e.o.MaxConnections + spareConnections
	if descriptors := openFiles(); descriptors > 0 && most > descriptors-spareDescriptors {
		most = max(descriptors-spareDescriptors, 1)
		e.o.Logger.Warn("the limit of open files is too low for BELFRY_MAX_CONNECTIONS, fewer clients are accepted: raise the limit (LimitNOFILE, ulimit -n)",
			zap.Int("open_files", descriptors), zap.Int("connections", most))
	}
	return &Listener{
		Listener: l, most: most, perAddress: e.o.MaxPerAddress + spareConnections, trusted: e.trusted,
		refused: e.metrics.unaccepted, addresses: map[netip.Addr]int{},
	}
}

// Accept returns the next connection within the limits.
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

// counted is a connection that is removed from the counts when it is closed.
type counted struct {
	net.Conn
	listener *Listener
	address  netip.Addr
	closed   sync.Once
}

// SyscallConn gives access to the descriptor, which wsconn needs for non-blocking writes.
func (c *counted) SyscallConn() (syscall.RawConn, error) {
	raw, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.New("the connection has no descriptor")
	}
	return raw.SyscallConn()
}

// SetWriteBuffer sets the size of the socket's send buffer in bytes.
func (c *counted) SetWriteBuffer(bytes int) error {
	if sized, ok := c.Conn.(interface{ SetWriteBuffer(bytes int) error }); ok {
		return sized.SetWriteBuffer(bytes)
	}
	return errors.New("the connection has no send buffer to resize")
}

func (c *counted) Close() error {
	c.closed.Do(func() { c.listener.discount(c.address) })
	return c.Conn.Close()
}
