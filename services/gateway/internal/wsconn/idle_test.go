package wsconn

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// polled skips a test in the run without a poller.
func polled(t *testing.T) {
	t.Helper()
	if !poller.open() {
		t.Skip("no connection waits in a poller in this run")
	}
}

func readerOf(c *Conn) reader {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reader
}

// TestAnIdleConnectionHoldsNothing: no goroutine of ours, none of the library's,
// and nothing that was needed to read.
func TestAnIdleConnectionHoldsNothing(t *testing.T) {
	polled(t)
	s := serve(t, Options{})
	first, _ := dial(t, s)
	first.write(frame(0x81, "warm"))
	first.expect("text warm")
	before := runtime.NumGoroutine()
	const many = 200
	conns := make([]*Conn, many)
	for i := range conns {
		var p *peer
		p, conns[i] = dial(t, s)
		switch i % 4 {
		case 1:
			p.write(frame(0x81, "hello"))
			p.expect("text hello")
		case 2:
			p.write(frame(0x89, "x"))
			p.expect("pong x")
		case 3: // in pieces: a goroutine reads it, and ends
			long := strings.Repeat("l", 60_000)
			p.write(frame(0x01, "in "), frame(0x80, long))
			p.expect("text in " + long)
		}
	}
	until(t, "the connections to be idle", func() bool {
		return !slices.ContainsFunc(conns, func(c *Conn) bool { return readerOf(c) != readerIdle })
	})
	until(t, "the goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
	for i, c := range conns {
		if !c.lend() {
			t.Fatal("somebody else reads")
		}
		if c.reading != nil {
			t.Errorf("connection %d holds %d bytes, %+v and the library's object: %t", i, len(c.reading.early), c.reading.held, c.reading.ws != nil)
		}
		c.giveBack()
	}
}

// TestAPongCostsNothing: it wakes neither the library nor a goroutine.
func TestAPongCostsNothing(t *testing.T) {
	o := Options{ControlFrames: 1 << 30}.WithDefaults()
	c := &Conn{opts: &o}
	var l library
	pong := frame(0x8A, "")
	if n := testing.AllocsPerRun(100, func() {
		if !c.quick(pong, &l) {
			t.Fatal("a pong was not handled")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if l.ws != nil {
		t.Error("the library's object was made")
	}
	if c.received.Load() < 100 {
		t.Error("it does not count as a sign of life")
	}
}

// TestOneReaderKeepsConnectionsApart: what many send at once, in one piece and in
// several, comes back to the one who sent it.
func TestOneReaderKeepsConnectionsApart(t *testing.T) {
	s := serve(t, Options{ControlFrames: 1 << 30})
	var running sync.WaitGroup
	for who := range 16 {
		p, _ := dial(t, s)
		rng := rand.New(rand.NewPCG(3, uint64(who)))
		running.Go(func() {
			for i := range 200 {
				text := fmt.Sprintf("%d %d %s", who, i, strings.Repeat("x", rng.IntN(300)))
				stream := slices.Concat(frame(0x89, fmt.Sprint(i)), frame(0x8A, ""), frame(0x81, text), frame(0x01, text), frame(0x80, "!"))
				for len(stream) > 0 {
					n := min(len(stream), 1+rng.IntN(2*len(text)))
					if _, err := p.raw.Write(stream[:n]); err != nil {
						t.Errorf("client %d: %v", who, err)
						return
					}
					stream = stream[n:]
				}
				for _, want := range []string{"pong " + fmt.Sprint(i), "text " + text, "text " + text + "!"} {
					if got, err := p.next(); err != nil || got != want {
						t.Errorf("client %d got %.60q, %v, want %.60q", who, got, err, want)
						return
					}
				}
			}
		})
	}
	running.Wait()
}

// TestTheLibraryReadsOnAfterAQuietMoment: its documentation says that any error
// closes a connection; that of version 1.8.17 does not when nothing of the next
// frame was read. Idle connections depend on it.
func TestTheLibraryReadsOnAfterAQuietMoment(t *testing.T) {
	var l library
	defer l.close()
	var err error
	if l.ws, err = newReader(&l); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if _, _, err := l.ws.Read(context.Background()); !errors.Is(err, errQuiet) {
			t.Fatalf("a read of nothing: %v", err)
		}
		want := fmt.Sprint("message ", i)
		l.in = frame(0x81, want)
		if _, got, err := l.ws.Read(context.Background()); err != nil || string(got) != want {
			t.Fatalf("got %q, %v, want %q", got, err, want)
		}
	}
}

// TestBytesBehindTheHandshake: a client may send its first message without waiting for
// the answer to the handshake, so that net/http reads both.
func TestBytesBehindTheHandshake(t *testing.T) {
	s := serve(t, Options{})
	for _, first := range [][]byte{frame(0x81, "early"), slices.Concat(frame(0x89, ""), frame(0x81, "early")), frame(0x81, "early")[:8]} {
		p := connect(t, s, first)
		if len(first) == 8 {
			p.write(frame(0x81, "early")[8:])
		}
		if first[0] == 0x89 {
			p.expect("pong ")
		}
		p.expect("text early")
		p.write(frame(0x81, "later"))
		p.expect("text later")
	}
}

// TestClosingWhileBytesCome closes connections from three sides at once: each ends
// once, whoever is first.
func TestClosingWhileBytesCome(t *testing.T) {
	s := serve(t, Options{CloseTimeout: time.Second})
	for i := range 100 {
		p, c := dial(t, s)
		var running sync.WaitGroup
		running.Go(func() {
			for range i % 7 {
				_, _ = p.raw.Write(frame(0x81, "x"))
			}
			_ = p.raw.Close()
		})
		running.Go(func() { c.Close(1001, "") })
		running.Go(func() {
			if i%3 == 0 {
				c.CloseNow()
			}
		})
		running.Wait()
		s.ending(t)
		select {
		case end := <-s.ended:
			t.Fatalf("it ended twice, then as %+v", end)
		default:
		}
	}
}

// crashing panics on what it receives.
type crashing struct {
	echo
	crashed chan any
}

func (c *crashing) Receive([]byte) { panic("a fault") }
func (c *crashing) Crashed(p any)  { c.crashed <- p; c.conn.Close(1011, "") }

// TestAPanicIsItsConnectionsAlone: those beside it in the poller go on.
func TestAPanicIsItsConnectionsAlone(t *testing.T) {
	crashed := make(chan any, 1)
	s := serveTo(t, Options{Poller: poller}, func(c *Conn, ended chan Ending) Handler { return &crashing{echo{c, ended}, crashed} })
	p, _ := dial(t, s)
	beside, _ := dial(t, serve(t, Options{}))
	p.write(frame(0x81, "x"))
	if got := <-crashed; got != "a fault" {
		t.Errorf("crashed with %v", got)
	}
	p.expect("close 1011")
	_ = p.raw.Close()
	if got := s.ending(t); got != by(1011) {
		t.Errorf("it ended as %+v", got)
	}
	beside.write(frame(0x81, "y"))
	beside.expect("text y")
}
