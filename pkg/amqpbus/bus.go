// Package amqpbus is Belfry's way to a message broker, behind a few verbs:
// declare, publish, consume in order, settle, close. It speaks of queues and
// exchanges as AMQP 0-9-1 does, but no type of an AMQP library passes through.
//
// Implementations: rabbit (RabbitMQ) and membus (a twin in memory with the same
// semantics, for tests and the embedded mode). bustest is the
// contract that both pass; brokertest starts private brokers for tests.
//
// A Bus keeps two links to the broker, one that publishes and one that consumes
// and acks, because a broker under a memory or disk alarm stops reading from a
// connection that has published. It reconnects by itself, for ever, with
// jitter. Consumers and publishers do not outlive the link they were opened on:
// they fail with ErrLinkLost, and their owner opens new ones, because only the
// owner knows what continuity it has to announce. A nil error from a verb means
// that the broker has agreed.
package amqpbus

import (
	"context"
	"errors"
	"time"
)

// Outcomes of a publish, and what ends consumers and publishers. Test with
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
	// ErrBlocked: the broker has an alarm of memory or disk and takes nothing from
	// publishers until it is over. A Bus waits; who tries once is told.
	ErrBlocked = errors.New("the broker blocks publishers")
	// ErrClosed: Close was called.
	ErrClosed = errors.New("closed by this process")
	// ErrNoQueue: consuming from a queue that does not exist and may not be declared.
	ErrNoQueue = errors.New("the queue does not exist")
	// ErrInUse: another consumer holds the queue exclusively.
	ErrInUse = errors.New("the queue is held by another consumer: an old link of this process, which the broker gives up within a minute, or a process with the same id")
	// ErrLayout: the broker holds an installation of another layout. Nothing was declared.
	ErrLayout = errors.New("the broker holds an installation with another BELFRY_SHARDS or BELFRY_QUEUE_TYPE: set the same for every program, or stop them all and move over with belfry reshard")
	// ErrMessage: the message breaks a bound (a short string over 255 bytes).
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
	Headers    map[string]string // at most 255 bytes a key; what is not text, and of thousands some, is not shown
	Expiration time.Duration     // 0: does not expire; else at least 1 ms, whole milliseconds
	Timestamp  int64             // seconds since 1970, a property that the publisher sets as it likes; 0: none
	Persistent bool
	Mandatory  bool
	Body       []byte // not changed and not kept by the bus after done was called
}

// Delivery is a message as a consumer gets it.
type Delivery struct {
	Message
	// UserID is the publisher's user as the broker validated it, or empty.
	UserID string
	// Redelivered says that the broker may have delivered it before.
	Redelivered bool
	// Dead is set on a message that was dead-lettered: where it died last. A
	// publisher may have sent it too, so it is true only in a queue that nobody
	// publishes to.
	Dead *Death
	// Copies says that the publisher asked the broker for copies to more routing
	// keys (the header CC, which only RabbitMQ has). Those of BCC leave no trace.
	Copies bool
	// Tag orders the deliveries of one consumer: 1, 2, 3 ... It is for Ack and
	// AckThrough of the same consumer only.
	Tag uint64
}

// Death is the newest entry of a dead-lettered message's history.
type Death struct {
	Reason   string // "expired", "rejected", "maxlen"
	Queue    string
	Exchange string // where it was published
	Key      string // its routing key
	// Times counts its deaths of this reason in this queue. Only at 1 are Exchange
	// and Key of this death. RabbitMQ 3.10 goes on with a history that the
	// publisher sent: where it names the queue and reason, the broker raises the
	// count of that entry and changes nothing else. RabbitMQ 4 and the twin ignore
	// such a history, so Times is 1 after the first death. At 0 the history cannot
	// be read.
	Times int64
}

// Health is the state of both links.
type Health struct {
	Connected bool   // both links are up
	Blocked   string // the broker's reason, while it blocks the publishing link
	Err       error  // why not Connected; says what to do
	// Refused is what the broker refuses while it is connected, such as a queue
	// beyond a limit, and what to do; empty when it refused nothing of late.
	Refused string
}

// Bus is a process's access to the broker. All methods may be called
// concurrently.
type Bus interface {
	// User is the broker user that this process publishes as. The bus sets it
	// as the validated user id of every message it publishes.
	User() string

	// Health is the state now; Changed is closed at the next change of it.
	Health() Health
	Changed() <-chan struct{}

	// Declare creates what is missing, queues first, and fails when something
	// exists with other arguments, naming it. It waits for a link until ctx ends.
	Declare(ctx context.Context, t Topology) error

	// Delete removes a queue and what is in it; a missing one is no error.
	Delete(ctx context.Context, queue string) error

	// OpenPublisher opens a channel for publishing; window bounds the
	// unconfirmed messages (1 to 1,000). It waits for a link until ctx ends.
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

// Publisher publishes on one channel: what one goroutine sends through it
// reaches each queue in the order sent, direct and fanout alike.
type Publisher interface {
	// Publish sends m. It blocks while the window is full or the broker blocks
	// the link, until ctx ends. done is called exactly once for each Publish
	// that returned nil, from one goroutine, in the order of publishing: with
	// nil when the broker confirmed, or an error that is ErrRefused,
	// ErrUnroutable or ErrLinkLost. done must not block and may be nil.
	// When Publish returns an error nothing was sent and done is not called.
	// A broker that gives no verdict at all for 10 s, or refuses after 3 s, and
	// does not block the link, ends the publisher: what it owes is ErrLinkLost.
	Publish(ctx context.Context, m Message, done func(error)) error

	// Done is closed when the publisher has ended and every done was called.
	Done() <-chan struct{}

	// Close ends the publisher. Messages not confirmed by then are ErrLinkLost. It
	// waits for the broker no longer than some seconds, and not under an alarm.
	Close() error
}

// ConsumerOptions says what to consume and how.
type ConsumerOptions struct {
	// Queue is the queue's name.
	Queue string
	// Declare, when set, makes OpenConsumer look first whether the queue is
	// there (Consumer.Resumed tells), and then declare all of the topology.
	Declare *Topology
	// Exclusive asks to be the only consumer. While there is another, the error
	// is ErrInUse: at once without Declare; with it, after 30 s of trying or
	// when ctx ends, because the other may be an old link of this process that
	// the broker has yet to give up.
	Exclusive bool
	// Prefetch bounds the unacked deliveries, 1 to 65,535.
	Prefetch int
}

// Consumer receives from one queue, in order. Its methods may be called
// concurrently, but Receive by one goroutine at a time.
type Consumer interface {
	// Receive waits for a delivery and returns all that are waiting, at most
	// max, oldest first. Its errors are ErrLinkLost, ErrCancelled, ErrClosed
	// and ctx's; after one of the first three the consumer has ended.
	Receive(ctx context.Context, max int) ([]Delivery, error)

	// Resumed reports that the queue was there before (see Declare) and, if this
	// bus ever found it missing, has had a consumer of this bus since.
	Resumed() bool

	// Ack settles one delivery, AckThrough it and every one before it. An
	// error means that the consumer has ended and the broker will deliver
	// again what it did not see acked.
	Ack(d Delivery) error
	AckThrough(d Delivery) error

	// Close finishes the acks that were called, then closes the channel. What
	// was not acked goes back to the queue, in order, for the next consumer.
	// It is never a basic.cancel. It waits for the broker no longer than some
	// seconds: then the channel ends with the link at the latest.
	Close() error
}
