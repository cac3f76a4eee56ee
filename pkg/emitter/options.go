package emitter

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/rabbit"
	"belfry/pkg/protocol"
)

// Options configure an Emitter. The zero value of each but URL works.
type Options struct {
	// URL is where events go: amqp:// or amqps:// for a broker, or
	// embedded://:secret@host:port for a Belfry without one (`belfry dev`). The
	// secret may also be in the environment, as BELFRY_EMIT_SECRET.
	URL string
	// Name is the connection's name in the broker's lists. Default "emitter".
	Name string
	// Shards is the number of shards that the workers were given. Default 1.
	Shards int
	// Expiration is how long an event may wait in the queue for a worker, in
	// whole milliseconds. Default 60 s; negative: for ever.
	Expiration time.Duration
	// Persistent events survive a restart of the broker, and cost more.
	Persistent bool
	// Timeout bounds each Emit, beside its context. Default 10 s; negative:
	// only the context bounds it.
	Timeout time.Duration
	// Window bounds the pending events, 1 to 1,000. Default 1,000.
	Window int
	// Quiet never returns an error and does not wait for the broker's confirm:
	// business code goes on whatever happens to an event. Failures are logged
	// (at most one line in 10 s) and counted (Failed). While the broker is
	// away and the window full, events fail at once.
	Quiet bool

	// Insecure allows amqp:// without TLS, or the door, on another host.
	Insecure                  bool
	CAFile, CertFile, KeyFile string // PEM, for amqps://

	// Trace, when set, is asked about each valid event that brings no Trace of
	// its own: the traceparent that travels with it (empty: none), and what is
	// told its outcome once (nil: nothing). So an application passes on the
	// trace in ctx, with the tracing library that it has:
	//
	//	Trace: func(ctx context.Context, _ string) (string, func(error)) {
	//		carrier := propagation.MapCarrier{}
	//		propagation.TraceContext{}.Inject(ctx, carrier)
	//		return carrier["traceparent"], nil
	//	},
	//
	// It is called by whoever emits; the outcome is told under a lock, so it
	// must not block or emit.
	Trace func(ctx context.Context, group string) (traceparent string, settled func(error))

	Logger     *zap.Logger           // nil: silent
	Registerer prometheus.Registerer // nil: no metrics
}

const (
	defaultExpiration = 60 * time.Second
	defaultTimeout    = 10 * time.Second
	maxWindow         = 1000
)

// Open starts an emitter and returns at once: it connects in the background,
// for ever. The error is about the options alone.
func Open(o Options) (*Emitter, error) {
	if o.Name == "" {
		o.Name = "emitter"
	}
	if strings.HasPrefix(strings.ToLower(o.URL), "embedded://") {
		u, err := url.Parse(o.URL)
		if err != nil { // not wrapped: the URL holds a password
			return nil, errors.New("open the emitter: the URL is not one: percent-encode the special characters of its secret")
		}
		secret, _ := u.User.Password()
		if secret == "" {
			secret = os.Getenv("BELFRY_EMIT_SECRET")
		}
		d, err := openDoor(u.Host, secret, o.Insecure)
		if err != nil {
			return nil, fmt.Errorf("open the emitter: %w", err)
		}
		return start(d, d.Close, o)
	}
	bus, err := rabbit.Open(rabbit.Options{
		URL: o.URL, Name: o.Name, Insecure: o.Insecure, CAFile: o.CAFile, CertFile: o.CertFile, KeyFile: o.KeyFile,
		Logger: o.Logger, Registerer: o.Registerer,
	})
	if err != nil {
		return nil, fmt.Errorf("open the emitter: %w", err)
	}
	return start(bus, bus.Close, o)
}

// OverBus is Open over a bus that the caller has, and closes after the emitter.
// URL, Insecure and the files are not looked at.
func OverBus(bus amqpbus.Bus, o Options) (*Emitter, error) { return start(bus, nil, o) }

// complete fills in the defaults and checks the bounds.
func (o Options) complete() (Options, error) {
	if o.Shards == 0 {
		o.Shards = 1
	}
	if o.Expiration == 0 {
		o.Expiration = defaultExpiration
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Window == 0 {
		o.Window = maxWindow
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	o.Expiration = max(o.Expiration, 0)
	switch {
	case o.Shards < 1 || o.Shards > protocol.MaxShards:
		return o, fmt.Errorf("Shards is %d, it must be 1 to %d", o.Shards, protocol.MaxShards)
	case o.Window < 1 || o.Window > maxWindow:
		return o, fmt.Errorf("Window is %d, it must be 1 to %d", o.Window, maxWindow)
	case o.Expiration%time.Millisecond != 0:
		return o, fmt.Errorf("Expiration is %v, it must be whole milliseconds", o.Expiration)
	}
	return o, nil
}
