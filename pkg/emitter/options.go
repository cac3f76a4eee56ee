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

// Options configures an Emitter. All fields but URL may be zero.
type Options struct {
	// URL says where to send events: amqp:// or amqps:// for a broker, or
	// embedded://:secret@host:port for `belfry dev`, which has no broker. The secret may
	// be left out of the URL and set in the environment variable BELFRY_EMIT_SECRET.
	URL string
	// Name is the connection's name in the broker's lists. Default "emitter".
	Name string
	// Shards is the number of shards, the same as the workers' BELFRY_SHARDS. Default 1.
	Shards int
	// Expiration is how long an event may wait in the queue for a worker, in whole
	// milliseconds. Default 60 s; negative: no limit.
	Expiration time.Duration
	// Persistent makes events survive a restart of the broker, at the cost of speed.
	Persistent bool
	// Timeout is how long an Emit may take, in addition to its context's limit. Default
	// 10 s; negative: only the context limits it.
	Timeout time.Duration
	// Window is the largest number of pending events, 1 to 1,000. Default 1,000.
	Window int
	// Quiet makes Emit return nil without waiting for the broker's confirm, so that
	// business code continues whatever happens to an event. Failures are logged (at most
	// once in 10 s) and counted (Failed). Emit still waits for room in the window, but if
	// the broker is unavailable and the window is full, events fail at once.
	Quiet bool

	// Insecure allows amqp:// or embedded://, which have no TLS, to another host.
	Insecure                  bool
	CAFile, CertFile, KeyFile string // PEM, for amqps://

	// Trace, if set, is called for each valid event without a Trace of its own. It returns
	// the traceparent to send with the event (empty: none) and a function that is called
	// once with the event's outcome (nil: none). With it an application can pass on the
	// trace in ctx, with any tracing library:
	//
	//	Trace: func(ctx context.Context, _ string) (string, func(error)) {
	//		carrier := propagation.MapCarrier{}
	//		propagation.TraceContext{}.Inject(ctx, carrier)
	//		return carrier["traceparent"], nil
	//	},
	//
	// Trace is called on the goroutine that emits. The function that it returns is called
	// while a lock is held, so it must not block or emit.
	Trace func(ctx context.Context, group string) (traceparent string, settled func(error))

	Logger     *zap.Logger           // nil: nothing is logged
	Registerer prometheus.Registerer // nil: no metrics
}

const (
	defaultExpiration = 60 * time.Second
	defaultTimeout    = 10 * time.Second
	maxWindow         = 1000
)

// Open starts an emitter and returns at once. The emitter connects in the background and
// keeps trying until it succeeds. An error means that an option is wrong.
func Open(o Options) (*Emitter, error) {
	if o.Name == "" {
		o.Name = "emitter"
	}
	if strings.HasPrefix(strings.ToLower(o.URL), "embedded://") {
		u, err := url.Parse(o.URL)
		if err != nil { // not wrapped: the URL holds a password
			return nil, errors.New("open the emitter: the URL cannot be parsed: percent-encode the special characters of its secret")
		}
		secret, _ := u.User.Password()
		if secret == "" {
			secret = os.Getenv("BELFRY_EMIT_SECRET")
		}
		d, err := openEndpoint(u.Host, secret, o.Insecure)
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

// OverBus is Open with a bus that the caller owns and closes after the emitter. It ignores
// URL, Insecure and the three files.
func OverBus(bus amqpbus.Bus, o Options) (*Emitter, error) { return start(bus, nil, o) }

// complete fills in the defaults and checks the limits.
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
		return o, fmt.Errorf("Shards is %d, but must be 1 to %d", o.Shards, protocol.MaxShards)
	case o.Window < 1 || o.Window > maxWindow:
		return o, fmt.Errorf("Window is %d, but must be 1 to %d", o.Window, maxWindow)
	case o.Expiration%time.Millisecond != 0:
		return o, fmt.Errorf("Expiration is %v, but must be a whole number of milliseconds", o.Expiration)
	}
	return o, nil
}
