package connection

import (
	"context"
	"encoding/json"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"belfry/pkg/protocol"
	"belfry/services/gateway/internal/hub"
)

// Relay is what a connection needs from the relay to the broker. All methods may
// be called concurrently.
type Relay interface {
	// Connect asks whether the token may open a connection. It answers within
	// 5 s; an error means that no worker could decide.
	Connect(ctx context.Context, conn protocol.ConnID, token protocol.Token, remote string) (protocol.Decision, error)
	// Authorize asks which of the groups the connection may see, within the same
	// time.
	Authorize(ctx context.Context, conn protocol.ConnID, identity json.RawMessage, groups []protocol.Group) (protocol.Decision, error)
	// Open makes a connection known, before its first Subscribe; Close ends it. They
	// do not block.
	Open(conn protocol.ConnID)
	Close(conn protocol.ConnID)
	// Subscribe waits until all of these groups, which replace earlier ones, are
	// active, and then calls answer: every event whose publish starts after it reaches
	// the connection. On an error answer was not called and will not be. One call at a
	// time for each connection.
	Subscribe(ctx context.Context, conn protocol.ConnID, groups []protocol.Group, answer func()) error
	// Report queues a report, in order. It does not block.
	Report(r protocol.LifeReport)
}

// Options bounds what one connection may do. Zero fields mean the defaults.
type Options struct {
	Registerer prometheus.Registerer // nil: the metrics are not registered

	// MessageRate is how many messages a second a client may send in the long
	// run (default 10), MessageBurst how many at once (default 50); more is
	// closed with 4429.
	MessageRate  float64
	MessageBurst int
	// InvalidMessages is how many invalid messages are answered in a row
	// (default 10; one is forgiven every ten seconds); one more is closed with 4429.
	InvalidMessages int
	// MaxGroups bounds the groups of one message, so of a connection (default 1,000).
	MaxGroups int
	// GroupRate is how many groups a second all connections of a user may change, join
	// or leave, in the long run (default 2,000), GroupBurst how many at once (default
	// 20,000). More wait, and where that takes longer than the answer may, the client
	// is told to try again.
	GroupRate  float64
	GroupBurst int
	// MailboxBytes bounds the messages that wait while one is handled (default
	// 256 KiB); more is closed with 4429.
	MailboxBytes int
	// AnswerTimeout bounds the time from a message's arrival until its groups are
	// active (default 5 s); after that the client is told to try again.
	AnswerTimeout time.Duration
}

const forgiveEvery = 10 * time.Second

// WithDefaults returns o with its zero fields filled in.
func (o Options) WithDefaults() Options {
	if o.MessageRate == 0 {
		o.MessageRate = 10
	}
	if o.MessageBurst == 0 {
		o.MessageBurst = 50
	}
	if o.InvalidMessages == 0 {
		o.InvalidMessages = 10
	}
	if o.MaxGroups == 0 {
		o.MaxGroups = 1000
	}
	if o.GroupRate == 0 {
		o.GroupRate = 2000
	}
	if o.GroupBurst == 0 {
		o.GroupBurst = 20_000
	}
	if o.MailboxBytes == 0 {
		o.MailboxBytes = 256 << 10
	}
	if o.AnswerTimeout == 0 {
		o.AnswerTimeout = 5 * time.Second
	}
	return o
}

// Factory makes connections that share options, relay and hub.
type Factory struct {
	o     Options
	relay Relay
	hub   *hub.Hub
	pace  *pace
	told  told
	log   *zap.Logger
	paced *prometheus.CounterVec
}

// New makes a Factory; zero fields of o get their defaults.
func New(o Options, relay Relay, h *hub.Hub, log *zap.Logger) *Factory {
	o = o.WithDefaults()
	return &Factory{o: o, relay: relay, hub: h, pace: newPace(o.GroupRate, o.GroupBurst), log: log, paced: newPaced(o.Registerer)}
}

// Begin makes the connection for a handshake that has just arrived from remote.
func (f *Factory) Begin(remote string) *Conn {
	return &Conn{all: f, id: f.hub.NextID(), remote: remote}
}
