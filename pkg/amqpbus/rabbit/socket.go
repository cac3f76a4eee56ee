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

// writeTimeout is how long one write to the socket may take. The library has no such limit: a
// publish to a host that went silent would hold its lock for ever.
const writeTimeout = 10 * time.Second

// dialSocket connects, with TLS if config is not nil. The library must not do TLS itself, because
// guard has to see the decrypted bytes.
func dialSocket(ctx context.Context, address string, config *tls.Config, blocked func() bool) (net.Conn, error) {
	d := net.Dialer{KeepAlive: 15 * time.Second}
	raw, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	// The library clears this deadline when the AMQP connection is open.
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

// withoutTLS returns the address for the library, which must leave TLS to dialSocket.
func withoutTLS(target address.Address) address.Address {
	target.TLS = false
	return target
}

// deadlineConn limits the time of every write, except while the broker blocks the connection:
// during an alarm it reads nothing, but is alive.
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
