package wsconn

import (
	"errors"
	"sync/atomic"
	"time"

	"belfry/pkg/protocol"
)

// Options holds the limits of connections. All connections share one value, which must
// not change after the first Accept. A zero field means its default.
type Options struct {
	// MaxMessage is the largest message, in bytes over all its frames, that a client may
	// send (default 64 KiB). A larger one closes the connection with 1009.
	MaxMessage int
	// Outbox is how many bytes may wait for a slow socket (default 1.5 MiB: the largest
	// event and 512 KiB). More close the connection with 4408. A single chunk that is
	// larger than this may wait alone.
	Outbox int
	// SendBuffer is the size in bytes requested for the kernel's send buffer (default
	// 64 KiB; Linux doubles it). A negative value keeps the system's default.
	SendBuffer int
	// WriteTimeout is how long one write of at most 64 KiB to a slow socket may take
	// (default 10 s). A longer one closes the connection with 4408.
	WriteTimeout time.Duration
	// CloseTimeout is how long a close waits for the outbox to drain and the client to
	// answer the close frame (default 5 s).
	CloseTimeout time.Duration
	// MessageTimeout is how long a message may take from its first byte to its last
	// (default 20 s). A longer one closes the connection with 1002.
	MessageTimeout time.Duration
	// PingInterval is the mean time between pings (default 25 s), varied by 10 %. A
	// connection that sends no byte during two intervals is closed.
	PingInterval time.Duration
	// ControlFrames is how many control frames and empty fragments a client may send in
	// ten seconds (default 100). More close the connection with 4429.
	ControlFrames int
	// Poller waits for idle connections, which then need no goroutine. Nil means that
	// every connection has a goroutine that reads.
	Poller *Poller
	// Slow counts the connections that are slow at the moment. It may be nil.
	Slow *atomic.Int64
}

// missedPongs is how many ping intervals in a row may pass without a byte received.
const missedPongs = 2

// WithDefaults returns o with its zero fields filled in.
func (o Options) WithDefaults() Options {
	o.MaxMessage = orDefault(o.MaxMessage, 64<<10)
	o.Outbox = orDefault(o.Outbox, protocol.MaxPayload+512<<10)
	o.SendBuffer = orDefault(o.SendBuffer, 64<<10)
	o.WriteTimeout = orDefault(o.WriteTimeout, 10*time.Second)
	o.CloseTimeout = orDefault(o.CloseTimeout, 5*time.Second)
	o.MessageTimeout = orDefault(o.MessageTimeout, 20*time.Second)
	o.PingInterval = orDefault(o.PingInterval, 25*time.Second)
	o.ControlFrames = orDefault(o.ControlFrames, 100)
	if o.Slow == nil {
		o.Slow = new(atomic.Int64)
	}
	return o
}

// Validate returns an error that names the first field with an impossible value. Call it
// after WithDefaults.
func (o Options) Validate() error {
	switch {
	case o.MaxMessage < 125:
		return errors.New("the message limit must be at least 125 bytes")
	case o.Outbox < 1024:
		return errors.New("the outbox limit must be at least 1024 bytes")
	case o.WriteTimeout <= 0 || o.CloseTimeout <= 0 || o.MessageTimeout <= 0 || o.PingInterval <= 0:
		return errors.New("websocket time-outs must be positive")
	case o.ControlFrames < 1:
		return errors.New("the control frame limit must be at least 1")
	}
	return nil
}

func orDefault[T int | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}
