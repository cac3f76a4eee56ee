package wsconn

import (
	"slices"
	"testing"
	"time"
)

// clock is the time that the test passes to Tick, far from the real time.
type clock struct {
	conn *Conn
	now  time.Time
}

func (c *clock) pass(d time.Duration) {
	c.now = c.now.Add(d)
	c.conn.Tick(c.now)
}

// interval passes the longest time between two pings.
func (c *clock) interval() { c.pass(c.conn.opts.PingInterval * 11 / 10) }

func TestSilentClientIsDropped(t *testing.T) {
	s := serve(t, Options{})
	p, conn := dial(t, s)
	c := clock{conn, time.Now()}
	c.pass(0) // draws the first ping's time
	c.interval()
	p.expect("ping ")
	p.write(frame(0x8A, ""), frame(0x81, "here"))
	p.expect("text here")
	for range missedPongs {
		c.interval()
		p.expect("ping ")
	}
	c.interval()
	p.gone()
	if got := s.ending(t); got != (Ending{By: ByNobody}) {
		t.Errorf("it ended as %+v", got)
	}
}

func TestAnyByteCountsAsAlive(t *testing.T) {
	s := serve(t, Options{})
	p, conn := dial(t, s)
	c := clock{conn, time.Now()}
	c.pass(0)
	for range 5 * missedPongs {
		c.interval()
		p.expect("ping ")
		p.write(frame(0x81, "x"))
		p.expect("text x")
	}
}

func TestUnfinishedMessageIsClosed(t *testing.T) {
	for name, begun := range map[string][]byte{
		"half a header":  {0x81},
		"half a payload": frame(0x81, "hello")[:9],
		"a first piece":  frame(0x01, "hello"),
		"half a ping":    frame(0x89, "hello")[:9],
		"half a close":   closing(1000, "bye")[:7],
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, Options{CloseTimeout: 100 * time.Millisecond}) // the client does not answer the close
			p, conn := dial(t, s)
			p.write(frame(0x81, "whole"))
			p.expect("text whole")
			conn.Tick(time.Now().Add(conn.opts.MessageTimeout + 5*time.Second)) // a finished message is never late
			before := conn.received.Load()
			p.write(begun)
			arrived(t, func() bool { return conn.received.Load() != before && conn.unfinished.Load() != 0 })
			conn.Tick(time.Now().Add(conn.opts.MessageTimeout - time.Second))
			if !conn.open() {
				t.Error("it was closed a second too early")
			}
			conn.Tick(time.Now().Add(conn.opts.MessageTimeout + time.Second))
			p.expect("close 1002")
			p.gone()
			if got := s.ending(t); got != by(1002) {
				t.Errorf("it ended as %+v", got)
			}
		})
	}
}

// TestEachMessageHasItsOwnTimeout: if no read ever ends at the end of a message, that is
// not one unfinished message.
func TestEachMessageHasItsOwnTimeout(t *testing.T) {
	s := serve(t, Options{})
	p, conn := dial(t, s)
	first, second := frame(0x81, "first"), frame(0x81, "second")
	p.write(first[:8])
	arrived(t, func() bool { return conn.unfinished.Load() != 0 })
	begun := conn.unfinished.Load()
	p.write(slices.Concat(first[8:], second[:8]))
	p.expect("text first")
	if now := conn.unfinished.Load(); now <= begun {
		t.Errorf("the second message began at %d, the first at %d", now, begun)
	}
	p.write(second[8:])
	p.expect("text second")
}

// arrived waits until the gateway's side has seen what was written.
func arrived(t *testing.T, seen func() bool) {
	t.Helper()
	for deadline := time.After(patience); !seen(); {
		select {
		case <-deadline:
			t.Fatal("what was written did not arrive")
		case <-time.After(time.Millisecond):
		}
	}
}
