package rabbit

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"time"

	"belfry/pkg/amqpbus/address"
)

// writeTimeout bounds one write to the socket. The library has none: a publish
// to a host that fell silent would hold its lock for ever.
const writeTimeout = 10 * time.Second

// dialSocket connects, and speaks TLS where the address asks for it: the library
// would speak it above everything that is given to it, and guard must see what
// it reads.
func dialSocket(ctx context.Context, address string, config *tls.Config, blocked func() bool) (net.Conn, error) {
	d := net.Dialer{KeepAlive: 15 * time.Second}
	raw, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	// The library clears this deadline when the connection is open.
	if err := raw.SetDeadline(time.Now().Add(dialTimeout)); err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	conn := &deadlineConn{Conn: raw, blocked: blocked}
	if config == nil {
		return conn, nil
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	return secure, nil
}

// withoutTLS is the address of the same socket for a library that is to leave
// TLS to dialSocket.
func withoutTLS(target address.Address) address.Address {
	target.TLS = false
	return target
}

// deadlineConn bounds every write that the broker does not block: under an alarm
// it reads nothing, and is not dead.
type deadlineConn struct {
	net.Conn
	blocked func() bool
}

func (c *deadlineConn) Write(p []byte) (written int, err error) {
	for {
		if err := c.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
			return written, err
		}
		n, err := c.Conn.Write(p[written:])
		written += n
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) || !c.blocked() {
			return written, err
		}
	}
}
