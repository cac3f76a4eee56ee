package harness

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// through dials an echo through a proxy.
func through(t *testing.T) (*Proxy, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	p := StartProxy(t, l.Addr().String())
	c, err := net.Dial("tcp", p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return p, c
}

// echoed is how long the echo of so many bytes takes.
func echoed(t *testing.T, c net.Conn, bytes int) time.Duration {
	t.Helper()
	began := time.Now()
	_ = c.SetDeadline(began.Add(20 * time.Second))
	if _, err := c.Write(make([]byte, bytes)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, bytes)); err != nil {
		t.Fatal(err)
	}
	return time.Since(began)
}

func TestProxyWeather(t *testing.T) {
	p, c := through(t)
	fair := echoed(t, c, 1000)
	for _, test := range []struct {
		name     string
		up, down Weather
		least    time.Duration
	}{
		{"late", Weather{Delay: 200 * time.Millisecond}, Weather{Delay: 100 * time.Millisecond}, 300 * time.Millisecond},
		{"narrow", Weather{Rate: 2000}, Weather{}, 490 * time.Millisecond},
		{"in single bytes", Weather{Segment: 1}, Weather{Segment: 1}, 0},
	} {
		p.Set(test.up, test.down)
		if took := echoed(t, c, 1000); took < test.least {
			t.Errorf("%s: took %v, want %v at least", test.name, took, test.least)
		}
	}
	p.Set(Weather{}, Weather{})
	t.Logf("fair: %v", fair)
}

// TestProxyHolds holds back what comes, and the news of an end.
func TestProxyHolds(t *testing.T) {
	p, c := through(t)
	echoed(t, c, 1)
	p.Set(Weather{}, Weather{Hold: true})
	_, _ = c.Write([]byte("x"))
	p.Links()[0].CutServer()
	_ = c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("held, but read: %v", err)
	}
	p.Set(Weather{}, Weather{})
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.ReadAll(c); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the end is not told when it may be")
	}
	Until(t, 10*time.Second, "the link to end", func() bool { return len(p.Links()) == 0 })
}

func TestProxyCuts(t *testing.T) {
	p, c := through(t)
	echoed(t, c, 1)
	p.Cut()
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("cut, but %v", err)
	}
}
