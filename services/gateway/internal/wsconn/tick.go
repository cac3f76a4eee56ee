package wsconn

import (
	"math/rand/v2"
	"time"

	"belfry/pkg/protocol"
)

// pingFrame is shared by all; its pongs need not be told apart, because any
// byte received shows that the client is there.
var pingFrame = []byte{fin | opPing, 0}

// Tick does what time asks for: a ping when one is due, the end of a client
// that fell silent, or that began a message and does not finish it. One
// goroutine, the sweep, calls it for all connections every second or so.
func (c *Conn) Tick(now time.Time) {
	if since := c.unfinished.Load(); since != 0 && now.Sub(time.Unix(0, since)) > c.opts.MessageTimeout {
		c.Close(protocol.CloseProtocol, "")
		return
	}
	if c.nextPing.IsZero() {
		// The first interval is spread, so that a storm of handshakes is not
		// followed by storms of pings.
		c.nextPing = now.Add(time.Duration(rand.Int64N(int64(c.opts.PingInterval)) + 1))
		return
	}
	if now.Before(c.nextPing) {
		return
	}
	c.nextPing = now.Add(jitter(c.opts.PingInterval))
	received := c.received.Load()
	if c.atPing == received+1 { // nothing came since the last ping
		c.missed++
	} else {
		c.missed = 0
	}
	c.atPing = received + 1 // 0 stays: never pinged
	if c.missed >= missedPongs {
		c.CloseNow()
		return
	}
	if c.open() {
		c.Send(pingFrame)
	}
}

// jitter varies d by a tenth in both directions.
func jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.9 + 0.2*rand.Float64()))
}
