package membus

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"belfry/pkg/amqpbus"
)

// journal is a Core with one log, its clock in the test's hand.
type journal struct {
	*Core
	t   *testing.T
	now time.Time
}

const logName = "log"

func newJournal(t *testing.T, shape LogShape) *journal {
	j := &journal{t: t, now: time.Unix(1_000_000, 0)}
	j.Core = NewCore(func() time.Time { return j.now })
	j.ShapeLogs(shape)
	j.declare()
	return j
}

func (j *journal) declare() {
	j.t.Helper()
	if err := j.Declare(amqpbus.Topology{Queues: []amqpbus.Queue{{Name: logName, Stream: true}}}); err != nil {
		j.t.Fatal(err)
	}
}

// write publishes bodies to the log.
func (j *journal) write(bodies ...string) {
	j.t.Helper()
	for _, body := range bodies {
		if err := j.Publish("u", amqpbus.Message{Key: logName, Mandatory: true, Body: []byte(body)}); err != nil {
			j.t.Fatal(err)
		}
	}
}

func (j *journal) read(o LogTapOptions) *LogTap {
	j.t.Helper()
	o.Log = logName
	tap, err := j.ReadLog(o)
	if err != nil {
		j.t.Fatal(err)
	}
	return tap
}

// brings checks what a reader has, as "offset:body".
func (j *journal) brings(tap *LogTap, want ...string) {
	j.t.Helper()
	got, err := tap.TryReceive(1000)
	if err != nil || !slices.Equal(places(got), want) {
		j.t.Errorf("read %v and %v, want %v", places(got), err, want)
	}
}

func places(entries []amqpbus.LogEntry) []string {
	var out []string
	for _, e := range entries {
		out = append(out, fmt.Sprintf("%d:%s", e.Offset, e.Body))
	}
	return out
}

// TestSegments: each but the first begins with a chunk that takes an offset.
func TestSegments(t *testing.T) {
	j := newJournal(t, LogShape{SegmentEntries: 3})
	tap := j.read(LogTapOptions{})
	j.write("a", "b", "c", "d", "e", "f", "g")
	j.brings(tap, "0:a", "1:b", "2:c", "4:d", "5:e", "6:f", "8:g")
	j.brings(j.read(LogTapOptions{At: 3}), "4:d", "5:e", "6:f", "8:g")
	j.brings(j.read(LogTapOptions{At: 7}), "8:g")
	j.brings(j.read(LogTapOptions{At: 9}))
}

// TestRetention throws away whole segments, when one begins, and never the newest.
func TestRetention(t *testing.T) {
	t.Run("bytes", func(t *testing.T) {
		j := newJournal(t, LogShape{SegmentEntries: 2, MaxBytes: 5 * (entryOverhead + 1)})
		j.write("a", "b", "c", "d", "e")
		if got := places(j.LogEntries(logName)); len(got) != 5 {
			t.Errorf("held: %v", got)
		}
		j.write("f", "g") // f fills a segment: 6 entries are too many
		if got, want := places(j.LogEntries(logName)), []string{"3:c", "4:d", "6:e", "7:f", "9:g"}; !slices.Equal(got, want) {
			t.Errorf("held: %v, want %v", got, want)
		}
		j.brings(j.read(LogTapOptions{At: 0}), "3:c", "4:d", "6:e", "7:f", "9:g")
	})
	t.Run("age", func(t *testing.T) {
		j := newJournal(t, LogShape{SegmentEntries: 2, MaxAge: time.Minute})
		j.write("a", "b")
		j.now = j.now.Add(time.Hour)
		if got := places(j.LogEntries(logName)); len(got) != 2 {
			t.Errorf("an old log that nobody writes to holds %v", got)
		}
		j.write("c")
		if got := places(j.LogEntries(logName)); len(got) != 3 {
			t.Errorf("before a segment is full it holds %v", got)
		}
		j.write("d")
		if got := places(j.LogEntries(logName)); !slices.Equal(got, []string{"3:c", "4:d"}) {
			t.Errorf("held: %v", got)
		}
	})
	t.Run("all", func(t *testing.T) {
		j := newJournal(t, LogShape{SegmentEntries: 2, MaxBytes: 1})
		j.write("a", "b")
		tap := j.read(LogTapOptions{})
		j.brings(tap)
		j.write("c")
		j.brings(tap, "3:c")
	})
	t.Run("who has it already", func(t *testing.T) {
		j := newJournal(t, LogShape{SegmentEntries: 2})
		tap := j.read(LogTapOptions{})
		j.write("a", "b", "c")
		j.TruncateLog(logName, 1)
		j.brings(tap, "0:a", "1:b", "3:c") // they were on their way
		j.TruncateLog(logName, 5)
		j.brings(j.read(LogTapOptions{}), "3:c")
	})
}

// TestTheEndOfALog: nobody is told where it is, and lost offsets are used again.
func TestTheEndOfALog(t *testing.T) {
	j := newJournal(t, LogShape{SegmentEntries: 3})
	beyond, next, late := j.read(LogTapOptions{At: 5}), j.read(LogTapOptions{At: amqpbus.LogNext}), j.read(LogTapOptions{At: amqpbus.LogNext, Miss: 1})
	j.write("a", "b", "c", "d")
	j.brings(beyond)
	j.brings(next, "0:a", "1:b", "2:c", "4:d")
	j.brings(late, "1:b", "2:c", "4:d")
	j.LoseLogEnd(logName, 3)
	j.brings(next)
	j.write("B", "C", "D")
	if got, want := places(j.LogEntries(logName)), []string{"0:a", "1:B", "2:C", "4:D"}; !slices.Equal(got, want) {
		t.Errorf("held: %v, want %v", got, want)
	}
	j.write("E")
	j.brings(next, "5:E") // it had 1, 2 and 4 already: other ones
	j.brings(beyond, "5:E")
	j.LoseLogEnd(logName, 100)
	j.write("first")
	j.brings(j.read(LogTapOptions{}), "0:first")
}

// TestWhatBefallsALog is what tests do to logs and their readers.
func TestWhatBefallsALog(t *testing.T) {
	j := newJournal(t, LogShape{})
	lost, hangs := j.read(LogTapOptions{}), j.read(LogTapOptions{})
	j.write("a", "b", "c", "d")
	j.LoseLogMiddle(logName, 1, 2)
	j.brings(j.read(LogTapOptions{}), "0:a", "3:d")

	j.HideLog(logName, true)
	m := amqpbus.Message{Key: logName, Body: []byte("dropped")}
	if err := j.Publish("u", m); err != nil {
		t.Errorf("a log without a route confirms what it drops: %v", err)
	}
	m.Mandatory = true
	if err := j.Publish("u", m); !errors.Is(err, amqpbus.ErrUnroutable) {
		t.Errorf("and returns what is mandatory: %v", err)
	}
	j.HideLog(logName, false)

	hangs.End(amqpbus.ErrClosed)
	hangs = j.read(LogTapOptions{At: 4})
	j.EndReaders(logName, nil)
	j.write("e")
	j.brings(hangs)
	j.brings(lost, "0:a", "1:b", "2:c", "3:d")
	j.EndReaders(logName, amqpbus.ErrLinkLost)
	if _, err := lost.TryReceive(1); !errors.Is(err, amqpbus.ErrLinkLost) {
		t.Errorf("an ended reader: %v", err)
	}

	deleted := j.read(LogTapOptions{At: 4})
	j.Delete(logName)
	if got, err := deleted.TryReceive(10); err != nil || !slices.Equal(places(got), []string{"4:e"}) {
		t.Errorf("what had come before the end: %v, %v", places(got), err)
	}
	if _, err := deleted.TryReceive(10); !errors.Is(err, amqpbus.ErrLogGone) {
		t.Errorf("a deleted log: %v", err)
	}
	if j.LogEntries(logName) != nil {
		t.Error("it holds something still")
	}
}

// TestABrokerWithoutStreams refuses a log, and nothing else is declared.
func TestABrokerWithoutStreams(t *testing.T) {
	c := NewCore(time.Now)
	c.WithoutStreams()
	err := c.Declare(amqpbus.LogTopology(amqpbus.Layout{Shards: 1}))
	if !errors.Is(err, amqpbus.ErrNoStreams) || !amqpbus.Standing(err) || c.Exists(amqpbus.LeadQueue(1, 0)) {
		t.Errorf("declare: %v", err)
	}
}
