package amqpbus

import (
	"context"
	"errors"
	"time"
)

// A log is a queue that keeps what was read: a RabbitMQ stream. Every message in
// it is an entry and has an offset, a number that rises. Queue.Stream declares one,
// and a Publisher fills it like any queue. A LogReader reads it from any offset,
// beside any number of other readers.
//
// Publish to a log with Mandatory, and publish again what came back as
// ErrUnroutable: a node that starts knows no route to its logs for a while, and
// confirms what it drops. A log never refuses, so ErrRefused is no outcome.
//
// What a log does not promise (RabbitMQ 3.10 and 4.0 were measured):
//
//   - Offsets have holes. Each segment of the log begins with an internal chunk
//     that takes an offset, so a step of two is nothing.
//   - A reader beyond the end gets neither an entry nor an error. Nothing tells
//     where the end is, but an entry that its reader has just written.
//   - Retention throws away whole segments, and only when a new one begins. The
//     newest stays, however old it is.
//   - A log can lose its end, after a power cut or when it was deleted and declared
//     again. Then other entries get the same offsets, and readers are not told.
//   - Tables and lists among an entry's headers are lost.
//   - RabbitMQ 4 takes entries that it cannot deliver. They are no events, and readers
//     pass over them.

// Bounds of a log. They are arguments of a declare, which the broker compares as
// text: they must never change. An operator's policy wins over them.
const (
	LogMaxAge     = 10 * time.Minute
	LogMaxBytes   = int64(1 << 30)
	LogMaxSegment = int64(1 << 20) // bytes; retention goes by whole segments
)

// Bounds of a LogReader.
const (
	// LogPrefetch is how many entries are on their way to a reader at most.
	// RabbitMQ 3.10 rounds it up to whole chunks, which may hold thousands.
	LogPrefetch = 256
	// LogWaiting bounds the bytes of the entries that wait for Receive. Beyond it
	// the reader's connection is not read, and it may exceed it by one entry and
	// what the connection has read ahead (256 KiB).
	LogWaiting = 8 << 20
	// LogStepWithin bounds each step of opening a reader at one node: connect, open
	// a channel, consume. A cluster's node whose peer hangs may answer none of them.
	LogStepWithin = 5 * time.Second
)

// LogNext is the place of a reader that begins behind the end of the log. The
// broker agrees before it looks where that is: entries which are written meanwhile
// may be missed.
const LogNext int64 = -1

// Why a log cannot be opened, or a reader ends; beside these there are ErrLinkLost
// and ErrClosed. All of them pass while a cluster fails over, so the owner opens
// the reader again after a pause (Backoff). What lasts for a minute is told by
// Health.Refused. Test with errors.Is.
var (
	// ErrLogGone: there is no log of this name, or it was deleted while it was read.
	ErrLogGone = errors.New("the log does not exist")
	// ErrLogRefused: the broker does not let this process read the log. In a cluster,
	// no node can that was asked: each reads a log only from a replica of its own.
	ErrLogRefused = errors.New("the broker does not serve the log")
	// ErrLogUnanswered: no node has answered in time. Its connection was cut.
	ErrLogUnanswered = errors.New("the broker did not answer who wants to read the log")
	// ErrNoStreams: the broker cannot keep a log. That stays until an operator does
	// something. It is of Declare.
	ErrNoStreams = errors.New("the broker has no streams, which Belfry needs: use RabbitMQ 3.9 or newer and switch them on (rabbitmqctl enable_feature_flag stream_queue); Amazon MQ does not offer them")
)

// LogReaderOptions says what to read and from where.
type LogReaderOptions struct {
	// Log is the queue's name.
	Log string
	// At is the offset of the first entry that is wanted, or LogNext. Where no entry
	// has it the next one comes first, so 0 is the oldest that is held.
	At int64
}

// LogEntry is a message of a log.
type LogEntry struct {
	// Offset is the broker's number of the entry; a publisher cannot forge it.
	Offset int64
	// Message as it was published. Persistent and Expiration mean nothing here.
	Message
	// UserID is the publisher's user as the broker validated it, or empty.
	UserID string
}

// LogReader reads one log, on a connection to the broker that it shares with
// nobody and that never publishes: an alarm blocks connections that have, and a
// reading that the broker cannot do may end its connection.
//
// What Receive returns is acked at once, so that the reader goes on. Receive is for
// one goroutine at a time, Close may be called concurrently and more than once.
type LogReader interface {
	// Receive waits for entries and returns all that are waiting, at most max, in
	// the order in which they came: offsets rise, except where the log lost its end.
	// Its errors are ErrLogGone, ErrLogRefused, ErrLinkLost, ErrClosed and ctx's;
	// after any but the last the reader has ended. Entries that came before its end
	// are returned before the error, but behind Close. A reader that gets nothing may stand at the
	// end of the log, beyond it, or hang: only an entry tells.
	Receive(ctx context.Context, max int) ([]LogEntry, error)

	// Close ends the reader. It waits for the broker no longer than some seconds:
	// then the connection is cut.
	Close() error
}
