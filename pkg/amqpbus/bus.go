// Package amqpbus is Belfry's interface to a message broker: declare, publish, consume in
// order, ack, close. It uses the queues and exchanges of AMQP 0-9-1, but no types of an
// AMQP library.
//
// Implementations: rabbit (RabbitMQ) and membus (a twin in memory with the same
// semantics, for tests and the embedded mode). bustest is the
// contract that both pass; brokertest starts private brokers for tests.
//
// A Bus has two links (connections) to the broker: one publishes, the other consumes and
// acks, because during a memory or disk alarm the broker stops reading from connections
// that have published. The Bus reconnects by itself, with jitter, until it is closed.
// Consumers and publishers end with the link on which they were opened: they fail with
// ErrLinkLost, and their owner opens new ones, because only the owner knows which gaps it
// has to report. A nil error means that the broker has confirmed the operation.
package amqpbus

import (
	"context"
	"errors"
	"time"
)

// Outcomes of a publish, and reasons why consumers and publishers end. Test for them with
// errors.Is.
var (
	// ErrRefused: the broker nacked the message (the queue is full). It is not stored.
	ErrRefused = errors.New("the broker refused the message (queue full)")
	// ErrUnroutable: a mandatory message was returned: no queue takes it.
	ErrUnroutable = errors.New("the broker has no queue for the message")
	// ErrLinkLost: the link ended. For a publish: it may or may not have arrived.
	ErrLinkLost = errors.New("the connection to the broker was lost")
	// ErrCancelled: the broker cancelled the consumer (its queue was deleted).
	ErrCancelled = errors.New("the broker cancelled the consumer")
	// ErrBlocked: the broker has a memory or disk alarm and accepts no messages until it
	// is over. A Bus waits for that and does not return this error; rabbit.Probe does.
	ErrBlocked = errors.New("the broker blocks publishers")
	// ErrClosed: Close was called.
	ErrClosed = errors.New("closed by this process")
	// ErrNoQueue: consuming from a queue that does not exist and may not be declared.
	ErrNoQueue = errors.New("the queue does not exist")
	// ErrInUse: another consumer holds the queue exclusively.
	ErrInUse = errors.New("the queue is held by another consumer: an old link of this process, which the broker gives up within a minute, or a process with the same id")
	// ErrLayout: the broker holds an installation of another layout. Nothing was declared.
	ErrLayout = errors.New("the broker holds an installation with another BELFRY_SHARDS or BELFRY_QUEUE_TYPE: set the same for every program, or stop them all and move over with belfry reshard")
	// ErrMessage: the message violates a limit, such as 255 bytes for a short string.
	// Nothing was sent.
	ErrMessage = errors.New("the message is out of bounds")
)

// Message is what is published. Exchange "" is the default exchange.
type Message struct {
	Exchange   string
	Key        string            // routing key, at most 255 bytes
	Type       string            // what the body is, at most 255 bytes
	ID         string            // message id, at most 255 bytes
	ReplyTo    string            // the id of the process to answer to, at most 255 bytes
	Headers    map[string]string // keys of at most 255 bytes; in a Delivery, values that are not text are left out, and some of thousands
	Expiration time.Duration     // 0: does not expire; else at least 1 ms, whole milliseconds
	Timestamp  int64             // seconds since 1970, a property that the publisher sets as it likes; 0: none
	Persistent bool
	Mandatory  bool
	Body       []byte // the bus does not modify it, nor use it after done was called
}

// Delivery is a message as a consumer gets it.
type Delivery struct {
	Message
	// UserID is the publisher's user as the broker validated it, or empty.
	UserID string
	// Redelivered says that the broker may have delivered it before.
	Redelivered bool
	// Dead says where a dead-lettered message died last. A publisher can forge it, so
	// believe it only in a queue to which nobody publishes.
	Dead *Death
	// Copies says that the publisher asked for copies to other routing keys, with
	// RabbitMQ's header CC. Copies by BCC cannot be seen.
	Copies bool
	// Tag is the number of the delivery in its consumer: 1, 2, 3 and so on. It is only
	// valid for Ack and AckThrough of that consumer.
	Tag uint64
}

// Death is the newest entry of a dead-lettered message's history.
type Death struct {
	Reason   string // "expired", "rejected", "maxlen"
	Queue    string
	Exchange string // where it was published
	Key      string // its routing key
	// Times counts the deaths for this reason in this queue. Exchange and Key are those
	// of the last death only if it is 1. RabbitMQ 3.10 continues a history that the
	// publisher sent: if it has an entry for the queue and reason, the broker only
	// increases that entry's count. RabbitMQ 4 and the twin ignore such a history, so
	// Times is 1 after the first death. It is 0 if the history cannot be decoded.
	Times int64
}

// Health is the state of both links.
type Health struct {
	Connected bool   // both links are up
	Blocked   string // the broker's reason while it blocks the publishing link, else empty
	Err       error  // why not Connected; says what to do
	// Refused says what the broker refuses although the links are up, such as a queue over
	// a limit, and what to do; empty if it has refused nothing recently.
	Refused string
}

// Bus is a process's access to the broker. All methods may be called
// concurrently.
type Bus interface {
	// User returns the broker user as which this process publishes. The bus sets it as
	// the user id of every message, and the broker validates it.
	User() string

	// Health returns the present state. The channel that Changed returns is closed when the
	// state changes next.
	Health() Health
	Changed() <-chan struct{}

	// Declare creates what is missing, queues first. If something exists with other
	// arguments, it returns an error that names it. It waits for a link until ctx ends.
	Declare(ctx context.Context, t Topology) error

	// Delete deletes a queue with its messages. It is not an error if it does not exist.
	Delete(ctx context.Context, queue string) error

	// OpenPublisher opens a channel for publishing. window is the largest number of
	// unconfirmed messages, 1 to 1,000. It waits for a link until ctx ends.
	OpenPublisher(ctx context.Context, window int) (Publisher, error)

	// OpenConsumer starts consuming. It waits for a link until ctx ends.
	OpenConsumer(ctx context.Context, o ConsumerOptions) (Consumer, error)

	// OpenLogReader starts reading a log. It asks each node of the broker once,
	// beginning with the one that served last, each step bounded by LogStepWithin,
	// and ends with ctx. Its errors are ErrLogGone, ErrLogRefused,
	// ErrLogUnanswered, ErrLinkLost (no node could be connected to), ErrClosed and
	// ctx's.
	OpenLogReader(ctx context.Context, o LogReaderOptions) (LogReader, error)

	// Close ends both links, within ctx: what the broker does not close by then is
	// cut, and that is the error. Open consumers and publishers end with
	// ErrClosed; deliveries that were not acked go back to their queues.
	Close(ctx context.Context) error
}

// Publisher publishes on one channel. Messages that one goroutine publishes reach each queue
// in order, through direct and fanout exchanges alike. Its methods may be called concurrently.
type Publisher interface {
	// Publish sends m. While the window is full or the broker blocks the link, it blocks
	// until ctx ends. If it returns nil, done is called exactly once, from one goroutine
	// and in the order of publishing: with nil when the broker has confirmed m, or with
	// an error that wraps ErrRefused, ErrUnroutable or ErrLinkLost. done must not block
	// and may be nil. If Publish returns an error, nothing was sent and done is not
	// called.
	//
	// If the broker does not block the link, but confirms nothing for 10 s or refuses a
	// message after 3 s, the publisher ends, and its unconfirmed messages fail with
	// ErrLinkLost.
	Publish(ctx context.Context, m Message, done func(error)) error

	// Done returns a channel that is closed when the publisher has ended and every done
	// was called.
	Done() <-chan struct{}

	// Close ends the publisher. Unconfirmed messages fail with ErrLinkLost. It waits for
	// the broker for a few seconds at most, and not at all during an alarm.
	Close() error
}

// ConsumerOptions says what to consume and how.
type ConsumerOptions struct {
	// Queue is the queue's name.
	Queue string
	// Declare, if set, makes OpenConsumer first check whether the queue exists (see
	// Consumer.Resumed), and then declare the topology.
	Declare *Topology
	// Exclusive asks to be the only consumer. If there is another, the error is ErrInUse:
	// at once without Declare; with it, after trying for 30 s or until ctx ends, because
	// the other may be an old link of this process whose end the broker has not noticed.
	Exclusive bool
	// Prefetch is the largest number of unacked deliveries, 1 to 65,535.
	Prefetch int
}

// Consumer receives from one queue, in order. Its methods may be called
// concurrently, but Receive by one goroutine at a time.
type Consumer interface {
	// Receive waits for a delivery and returns all that are waiting, at most max, oldest
	// first. Its errors are ErrLinkLost, ErrCancelled, ErrClosed and ctx's; after one of
	// the first three the consumer has ended.
	Receive(ctx context.Context, max int) ([]Delivery, error)

	// Resumed reports whether the queue existed before (see ConsumerOptions.Declare) and, if
	// this bus ever found it missing, has been consumed by this bus since. If not, messages
	// may have been lost with the queue.
	Resumed() bool

	// Ack acks one delivery; AckThrough acks it and all before it. An error means that the
	// consumer has ended, and that the broker will deliver again what it has not seen
	// acked.
	Ack(d Delivery) error
	AckThrough(d Delivery) error

	// Close sends the acks that were called, then closes the channel, without basic.cancel.
	// Unacked deliveries return to the queue, in order, for the next consumer. It waits for
	// the broker for a few seconds at most; then the channel ends with the link.
	Close() error
}
