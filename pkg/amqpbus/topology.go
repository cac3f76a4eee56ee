package amqpbus

import (
	"fmt"
	"time"

	"belfry/pkg/protocol"
)

// The fixed names. Names that only Belfry uses contain a version, so that two versions never
// share a queue with different arguments.
const (
	ExchangeEmit       = "belfry.emit"          // topic; any backend publishes here, key = group
	ExchangeDisconnect = "belfry.disconnect"    // fanout; any backend publishes orders to end connections here
	ExchangeQuestions  = "belfry.session"       // direct; questions of gateways, key = QueueQuestions
	ExchangeReply      = "belfry.reply"         // direct; key = the process's id
	ExchangeWorkers    = "belfry.reply.workers" // fanout; the reply queues of all workers
	ExchangeReplyAll   = "belfry.reply.all"     // fanout; every reply queue
	ExchangeEvents     = "belfry.events"        // topic; connection life, for any service
	QueueDisconnect    = "belfry.disconnect.in.v1"
	QueueLayout        = "belfry.layout.v2" // always empty, see SharedTopology
	QueueQuestions     = "belfry.session"
	QueueDead          = "belfry.dead"
	// QueueNowhere is never declared: the broker drops messages that are dead-lettered to
	// it. A queue's own dead-letter target takes precedence over an operator's policy, so
	// tokens in such a queue never get into a queue that others may read.
	QueueNowhere = "belfry.nowhere"
)

// Headers. HeaderGroup is the group of an emit that is published to a shard exchange, where
// the routing key is the shard. HeaderTrace is a W3C traceparent.
const (
	HeaderGroup = "group"
	HeaderTrace = "traceparent"
)

// ReplyQueue returns the name of the reply queue of a gateway or worker.
func ReplyQueue(id string) string { return "belfry.reply." + id }

// Topology lists exchanges, queues and bindings to be declared.
type Topology struct {
	Exchanges []Exchange
	Queues    []Queue
	Bindings  []Binding
}

// Exchange is a durable exchange; Kind is "direct", "topic" or "fanout".
type Exchange struct{ Name, Kind string }

// Queue is a durable queue.
type Queue struct {
	Name                 string
	Stream               bool          // a log, see LogReader: nothing else may be set beside the name
	Quorum               bool          // else classic
	SingleActiveConsumer bool          // one consumer at a time, in order
	MaxLength            int           // most ready messages; 0: no limit
	MaxBytes             int64         // most ready bytes; 0: no limit
	DropHead             bool          // over the limit the oldest message is dropped; else publishes are refused
	Expires              time.Duration // the queue is deleted when unused for this long; 0: never
	DeadLetterTo         string        // queue for expired messages; "": they are dropped, or a policy decides
	Deliveries           int           // a quorum queue drops a message that was returned this often; 0: the broker's default
}

// CheckStream refuses what a log cannot have, before a broker does.
func (q Queue) CheckStream() error {
	if q.Stream && q != (Queue{Name: q.Name, Stream: true}) {
		return fmt.Errorf("declare log %s: a log takes no other arguments, leave them out: %+v", q.Name, q)
	}
	return nil
}

// Binding binds a queue to an exchange.
type Binding struct{ Exchange, Queue, Key string }

// Limits of the queues. They are arguments of queue.declare, so all processes of an
// installation must use the same values.
const (
	maxReplyMessages = 20_000
	maxReplyBytes    = 64 << 20
	maxQuestions     = 50_000
	maxQuestionBytes = 64 << 20
	maxDisconnect    = 50_000
	maxDead          = 10_000
	maxDeadBytes     = 64 << 20

	// replyExpires is how long a reply queue exists without a consumer.
	replyExpires = 60 * time.Second
)

// Layout is what all processes of an installation must agree on.
type Layout struct {
	Shards int  // 1 to protocol.MaxShards
	Quorum bool // all queues are quorum queues, for a cluster
}

// ExclusiveReplies reports whether reply queues are consumed exclusively.
func (l Layout) ExclusiveReplies() bool { return !l.Quorum }

// SharedTopology returns everything but the reply queues. Every process declares all of it,
// which is idempotent. If the queues of two layouts existed at the same time, both would get
// every emit, and those without consumers would fill up and refuse emits. So the first queue
// is a mark: its MaxLength is the number of shards, and declaring it with another one fails
// with ErrLayout.
func SharedTopology(l Layout) Topology {
	t := Topology{
		Exchanges: []Exchange{
			{ExchangeEmit, "topic"},
			{EmitLogs(l.Shards), "direct"},
			{ExchangeDisconnect, "fanout"},
			{ExchangeQuestions, "direct"},
			{ExchangeReply, "direct"},
			{ExchangeReplyAll, "fanout"},
			{ExchangeWorkers, "fanout"},
			{ExchangeEvents, "topic"},
		},
		Queues: []Queue{
			{Name: QueueLayout, Quorum: l.Quorum, MaxLength: l.Shards},
			{Name: QueueQuestions, Quorum: l.Quorum, MaxLength: maxQuestions, MaxBytes: maxQuestionBytes, DeadLetterTo: QueueNowhere},
			{Name: QueueDisconnect, Quorum: l.Quorum, MaxLength: maxDisconnect},
			{Name: QueueDead, Quorum: l.Quorum, MaxLength: maxDead, MaxBytes: maxDeadBytes, DropHead: true},
		},
		Bindings: []Binding{
			{ExchangeQuestions, QueueQuestions, QueueQuestions},
			{ExchangeDisconnect, QueueDisconnect, ""},
		},
	}
	logs := LogTopology(l)
	t.Queues = append(t.Queues, logs.Queues...)
	t.Bindings = append(t.Bindings, logs.Bindings...)
	return t
}

// Of returns the part of t that one queue needs: the queue, its bindings, and their exchanges.
func (t Topology) Of(queue string) Topology {
	var part Topology
	needed := map[string]bool{}
	for _, q := range t.Queues {
		if q.Name == queue {
			part.Queues = append(part.Queues, q)
		}
	}
	for _, b := range t.Bindings {
		if b.Queue == queue {
			part.Bindings = append(part.Bindings, b)
			needed[b.Exchange] = true
		}
	}
	for _, e := range t.Exchanges {
		if needed[e.Name] {
			part.Exchanges = append(part.Exchanges, e)
		}
	}
	return part
}

// ReplyTopology returns the reply queue of one process with its bindings to both reply
// exchanges. A dead link of the process must not receive a part of its messages, so the
// consumer is exclusive (see Layout.ExclusiveReplies). Quorum queues do not support exclusive
// consumers; there the queue has a single active consumer.
func ReplyTopology[ID protocol.GatewayID | protocol.WorkerID](l Layout, id ID) Topology {
	name := ReplyQueue(string(id))
	t := Topology{
		Queues: []Queue{{
			Name: name, Quorum: l.Quorum, SingleActiveConsumer: l.Quorum,
			MaxLength: maxReplyMessages, MaxBytes: maxReplyBytes, Expires: replyExpires, DeadLetterTo: QueueNowhere,
		}},
		Bindings: []Binding{
			{ExchangeReply, name, string(id)},
			{ExchangeReplyAll, name, ""},
		},
	}
	if _, worker := any(id).(protocol.WorkerID); worker {
		t.Bindings = append(t.Bindings, Binding{ExchangeWorkers, name, ""})
	}
	return t
}
