package wsconn

import (
	"errors"
	"sync/atomic"
	"time"

	"belfry/pkg/protocol"
)

// Options bounds every connection made with it. One value is shared by all;
// it must not change after the first Accept. Zero fields mean the defaults.
type Options struct {
	// MaxMessage bounds a client's message in bytes, its frames together
	// (default 64 KiB); more is closed with 1009.
	MaxMessage int
	// Outbox bounds, in bytes, what waits for a slow socket (default 1.5 MiB: the
	// largest event and 512 KiB); more is closed with 4408. One row larger than
	// it may wait alone.
	Outbox int
	// SendBuffer is the kernel's send buffer in bytes as asked for (default
	// 64 KiB; Linux doubles it). Negative leaves the system's.
	SendBuffer int
	// WriteTimeout bounds the time a slow socket takes for one write of at most
	// 64 KiB (default 10 s); longer is closed with 4408.
	WriteTimeout time.Duration
	// CloseTimeout bounds the wait for the outbox to drain and the client to
	// answer a close frame (default 5 s).
	CloseTimeout time.Duration
	// MessageTimeout bounds the time from a message's first byte to its last
	// (default 20 s); longer is closed with 1002.
	MessageTimeout time.Duration
	// PingInterval is the mean time between pings (default 25 s), jittered by a
	// tenth. A connection from which no byte came during two is closed.
	PingInterval time.Duration
	// ControlFrames bounds the control frames and empty fragments of a client
	// in ten seconds (default 100); more is closed with 4429.
	ControlFrames int
	// Slow counts the connections that are slow now. It may be nil.
	Slow *atomic.Int64
}

// missedPongs is how many ping intervals may pass without a byte received.
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

// Validate reports a field that cannot work, after WithDefaults.
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
