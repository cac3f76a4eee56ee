//go:build linux

package wsconn

import (
	"os"
	"runtime"
	"sync"
	"testing"
	"time"
)

// ends are the ways in which a connection ends. Each leaves the rest to the
// server, which has to notice.
var ends = []struct {
	name string
	end  func(p *peer, c *Conn)
}{
	{"a clean close", func(p *peer, _ *Conn) {
		p.write(closing(1000, ""))
		p.expect("close 1000")
		_ = p.raw.Close()
	}},
	{"a reset", func(p *peer, _ *Conn) {
		_ = p.raw.SetLinger(0)
		_ = p.raw.Close()
	}},
	{"half open: the client only stops to write", func(p *peer, _ *Conn) {
		_ = p.raw.CloseWrite()
		p.gone()
		_ = p.raw.Close()
	}},
	{"silence", func(p *peer, c *Conn) {
		c.CloseNow()
		p.gone()
		_ = p.raw.Close()
	}},
	{"in the middle of a frame", func(p *peer, _ *Conn) {
		p.write(frame(0x81, "never whole")[:9])
		_ = p.raw.SetLinger(0)
		_ = p.raw.Close()
	}},
	{"in the middle of a message", func(p *peer, _ *Conn) {
		p.write(frame(0x01, "first piece"))
		_ = p.raw.Close()
	}},
	{"the gateway's close, answered", func(p *peer, c *Conn) {
		c.Close(1001, "")
		p.expect("close 1001")
		p.write(closing(1001, ""))
		p.gone()
		_ = p.raw.Close()
	}},
	{"the gateway's close, not answered", func(p *peer, c *Conn) {
		c.Close(1001, "")
		p.expect("close 1001")
		_ = p.raw.Close()
	}},
	{"a broken protocol", func(p *peer, _ *Conn) {
		p.write([]byte{0xff, 0xff})
		p.expect("close 1002")
		_ = p.raw.Close()
	}},
}

// TestNothingIsLeftBehind opens and ends thousands of connections in every way:
// descriptors, goroutines and memory are back to what they were.
func TestNothingIsLeftBehind(t *testing.T) {
	rounds := 30
	if os.Getenv("BELFRY_TEST_FULL") != "" {
		rounds = 5500 // 50,000 connections
	}
	s := serve(t, Options{CloseTimeout: patience})
	round := func() {
		var running sync.WaitGroup
		for _, e := range ends {
			p, c := dial(t, s)
			running.Go(func() { e.end(p, c) })
		}
		running.Wait()
		for range ends {
			s.ending(t)
		}
	}
	round() // what is made once is made now
	runtime.GC()
	files, goroutines, memory := descriptors(t), runtime.NumGoroutine(), heap()
	for range rounds {
		round()
	}
	until(t, "the goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines })
	until(t, "the descriptors to be closed", func() bool { return descriptors(t) <= files })
	// One connection that is kept has over 1 KiB.
	if now, kept := heap(), int64(rounds*len(ends))*512; now-memory > max(kept, 1<<20) {
		t.Errorf("the heap has grown from %d to %d bytes in %d connections", memory, now, rounds*len(ends))
	}
	if poller.open() {
		poller.mu.Lock()
		defer poller.mu.Unlock()
		for i, at := range poller.places {
			if at.conn != nil {
				t.Errorf("place %d has a connection still", i)
			}
		}
	}
}

// heap is the bytes that live.
func heap() int64 {
	for range 3 { // finalizers of one collection free in the next
		runtime.GC()
		<-time.After(time.Millisecond)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
