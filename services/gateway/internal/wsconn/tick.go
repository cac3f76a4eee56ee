package wsconn

import (
	"math/rand/v2"
	"time"

	"belfry/pkg/protocol"
)

// pingFrame is shared by all connections. Its pongs need not be matched to it, because
// any byte received shows that the client is there.
var pingFrame = []byte{fin | opPing, 0}

// began is the start of the program. Times are kept as durations since then, which takes
// 8 bytes and uses the monotonic clock.
var began = time.Now()

// Tick does what is due at now: it sends a ping, drops a client that went silent, or
// closes one that does not finish a message within MessageTimeout. One goroutine, the
// hub's sweep, calls it for all connections about once a second.
func (c *Conn) Tick(now time.Time) {
	if since := c.unfinished.Load(); since != 0 && now.Sub(time.Unix(0, since)) > c.opts.MessageTimeout {
		c.Close(protocol.CloseProtocol, "")
		return
	}
	at := now.Sub(began)
	if c.nextPing == 0 {
		// The first ping is at a random time, so that connections that were opened
		// together are not pinged together.
		c.nextPing = at + time.Duration(rand.Int64N(int64(c.opts.PingInterval))+1)
		return
	}
	if at < c.nextPing {
		return
	}
	c.nextPing = at + jitter(c.opts.PingInterval)
	received := c.received.Load()
	if c.atPing == received+1 { // nothing came since the last ping
		c.missed++
	} else {
		c.missed = 0
	}
	c.atPing = received + 1 // 0 means never pinged
	if c.missed >= missedPongs {
		c.CloseNow()
		return
	}
	if c.open() {
		c.Send(pingFrame)
	}
}

// jitter varies d by up to 10 % in both directions.
func jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.9 + 0.2*rand.Float64()))
}
