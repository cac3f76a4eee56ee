package wsconn

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"belfry/pkg/protocol"
)

// TestSlowReaderIsClosed fills the outbox of a client that does not read. What the client
// reads afterwards is whole frames in order, then the close frame.
func TestSlowReaderIsClosed(t *testing.T) {
	slow := new(atomic.Int64)
	s := serve(t, Options{Outbox: 64 << 10, SendBuffer: 4 << 10, Slow: slow})
	p, c := dial(t, s)
	_ = p.raw.SetReadBuffer(4 << 10)
	text := strings.Repeat("x", 4000)
	sent := 0
	for ; c.Send(FrameText(fmt.Appendf(nil, "%d %s", sent, text))); sent++ {
		if sent > 100_000 {
			t.Fatal("the outbox has no bound")
		}
	}
	if got := endingOf(c); got != by(4408) {
		t.Fatalf("it ended as %+v", got)
	}
	for read := 0; ; read++ {
		got, err := p.next()
		if err != nil {
			t.Fatal(err)
		}
		if got == "close 4408" {
			t.Logf("%d frames accepted, %d read", sent, read)
			break
		}
		if want := fmt.Sprintf("text %d %s", read, text); got != want {
			t.Fatalf("frame %d is %.30q", read, got)
		}
	}
	_ = p.raw.Close()
	if got := s.ending(t); got != by(4408) {
		t.Errorf("it ended as %+v", got)
	}
	until(t, "the slow writer to end", func() bool { return slow.Load() == 0 })
}

// TestPausingReaderLosesNothing: the client reads late, but before the outbox is full.
func TestPausingReaderLosesNothing(t *testing.T) {
	s := serve(t, Options{Outbox: 8 << 20, SendBuffer: 4 << 10})
	p, c := dial(t, s)
	text := strings.Repeat("y", 2000)
	const frames = 2000
	for i := range frames {
		if !c.Send(FrameText(fmt.Appendf(nil, "%d %s", i, text))) {
			t.Fatalf("frame %d was not accepted", i)
		}
	}
	for i := range frames {
		p.expect(fmt.Sprintf("text %d %s", i, text))
	}
	until(t, "the outbox to be empty", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.waiting == 0 && len(c.queue) == 0 && !c.slow
	})
	p.write(closing(1000, ""))
	p.expect("close 1000")
	s.ending(t)
}

// TestWriteTimeoutCloses: the frame that was begun is completed, then the close frame
// is sent.
func TestWriteTimeoutCloses(t *testing.T) {
	slow := new(atomic.Int64)
	s := serve(t, Options{Outbox: 64 << 20, SendBuffer: 4 << 10, WriteTimeout: 50 * time.Millisecond, CloseTimeout: patience, Slow: slow})
	p, c := dial(t, s)
	_ = p.raw.SetReadBuffer(64 << 10)
	text := strings.Repeat("x", 4000)
	for c.Send(FrameText([]byte(text))) && slow.Load() == 0 {
	}
	for range 1000 {
		c.Send(FrameText([]byte(text))) // these are discarded
	}
	until(t, "the write to take too long", func() bool { return endingOf(c) == by(4408) })
	read := 0
	for ; ; read++ {
		got, err := p.next()
		if err != nil {
			t.Fatal(err)
		}
		if got == "close 4408" {
			break
		}
		if got != "text "+text {
			t.Fatalf("frame %d is %.30q", read, got)
		}
	}
	if read >= 1000 {
		t.Errorf("%d frames came: nothing was thrown away", read)
	}
	_ = p.raw.Close()
	if got := s.ending(t); got != by(4408) {
		t.Errorf("it ended as %+v", got)
	}
	until(t, "the slow writer to end", func() bool { return slow.Load() == 0 })
}

// TestWriteTimeoutDuringCloseDrops: the connection is dropped without a close frame.
func TestWriteTimeoutDuringCloseDrops(t *testing.T) {
	slow := new(atomic.Int64)
	s := serve(t, Options{Outbox: 64 << 20, SendBuffer: 4 << 10, WriteTimeout: time.Hour, CloseTimeout: 50 * time.Millisecond, Slow: slow})
	p, c := dial(t, s)
	_ = p.raw.SetReadBuffer(64 << 10)
	text := FrameText([]byte(strings.Repeat("x", 4000)))
	for c.Send(text) && slow.Load() == 0 {
	}
	for range 1000 {
		c.Send(text)
	}
	c.Close(1001, "") // the outbox is sent first, and the client does not read
	if got := s.ending(t); got != by(1001) {
		t.Errorf("it ended as %+v", got)
	}
	until(t, "the slow writer to end", func() bool { return slow.Load() == 0 })
}

// TestOutboxHasRoomAfterLargestEvent: events that follow while the largest one waits do
// not close the connection.
func TestOutboxHasRoomAfterLargestEvent(t *testing.T) {
	s := serve(t, Options{SendBuffer: 4 << 10})
	p, c := dial(t, s)
	_ = p.raw.SetReadBuffer(64 << 10)
	largest := strings.Repeat("x", protocol.MaxPayload)
	if !c.Send(FrameText([]byte(largest))) || !c.Send(FrameText([]byte("behind it"))) {
		t.Fatalf("one of them was not accepted: %+v", endingOf(c))
	}
	c.mu.Lock()
	waiting := c.waiting
	c.mu.Unlock()
	if waiting < protocol.MaxPayload/2 {
		t.Fatalf("only %d bytes wait: the test is about nothing", waiting)
	}
	p.expect("text "+largest, "text behind it")
}

// TestManyWriters: with concurrent writers frames stay whole, and each writer's order is
// kept.
func TestManyWriters(t *testing.T) {
	s := serve(t, Options{Outbox: 64 << 20, SendBuffer: 4 << 10})
	p, c := dial(t, s)
	const writers, each = 8, 500
	var running sync.WaitGroup
	for w := range writers {
		running.Go(func() {
			for i := range each {
				chunk := FrameText(fmt.Appendf(nil, "%d %d %s", w, i, strings.Repeat("z", i)))
				if i%2 == 0 {
					c.Send(chunk)
				} else {
					c.Push(chunk)
					c.Flush()
				}
			}
		})
	}
	next := [writers]int{}
	for range writers * each {
		text, err := p.next()
		if err != nil {
			t.Fatal(err)
		}
		var w, i int
		var rest string
		if _, err := fmt.Sscanf(text, "text %d %d %s", &w, &i, &rest); i > 0 && err != nil {
			t.Fatalf("%.40q: %v", text, err)
		}
		if i != next[w] || len(rest) != i {
			t.Fatalf("writer %d: got %d with %d bytes, want %d", w, i, len(rest), next[w])
		}
		next[w]++
	}
	running.Wait()
	p.write(closing(1000, ""))
	p.expect("close 1000")
	s.ending(t)
}

// TestUnansweredCloseEnds: a client that never answers the close frame is dropped after
// CloseTimeout.
func TestUnansweredCloseEnds(t *testing.T) {
	s := serve(t, Options{CloseTimeout: 50 * time.Millisecond})
	p, c := dial(t, s)
	c.Close(1001, "")
	p.expect("close 1001")
	if got := s.ending(t); got != by(1001) {
		t.Errorf("it ended as %+v", got)
	}
}

// TestFloodingClientGetsCloseFrame: a proxy passes a flood on and reads the answer only
// when it can write no more. The connection must not be reset before that.
func TestFloodingClientGetsCloseFrame(t *testing.T) {
	s := serve(t, Options{ControlFrames: 10})
	p, _ := dial(t, s)
	flood := bytes.Repeat(frame(0x89, ""), 10_000)
	_ = p.raw.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
	for {
		if _, err := p.raw.Write(flood); err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("the flood ended with %v, not because the socket accepted nothing more", err)
			}
			break
		}
	}
	for got := ""; got != "close 4429"; {
		var err error
		if got, err = p.next(); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.ending(t); got != by(4429) {
		t.Errorf("it ended as %+v", got)
	}
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		<-time.After(time.Millisecond)
	}
}
