package wsconn

import (
	"fmt"
	"os"
	"syscall"
	"testing"
)

// number is the descriptor of a connection, to be looked at and never used.
func number(t *testing.T, c syscall.RawConn) (fd int) {
	t.Helper()
	if err := c.Control(func(n uintptr) { fd = int(n) }); err != nil {
		t.Fatal(err)
	}
	return fd
}

// TestADescriptorIsNotUsedAfterItsClose gives the number of a closed connection's
// descriptor to a stranger's: nothing is read from it, written to it or changed.
func TestADescriptorIsNotUsedAfterItsClose(t *testing.T) {
	polled(t)
	s := serve(t, Options{})
	p, c := dial(t, s)
	p.write(frame(0x81, "x"))
	p.expect("text x")
	until(t, "the connection to be idle", func() bool { return readerOf(c) == readerIdle })
	fd := number(t, c.fd)
	_ = c.raw.Close()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	if pair[0] != fd {
		if err := syscall.Dup3(pair[0], fd, 0); err != nil {
			t.Fatal(err)
		}
		_ = syscall.Close(pair[0])
	}
	defer func() { _, _ = syscall.Close(fd), syscall.Close(pair[1]) }()
	stranger := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: -1, Pad: -1}
	if err := poller.epoll.Control(func(epoll uintptr) { err = syscall.EpollCtl(int(epoll), syscall.EPOLL_CTL_ADD, fd, &stranger) }); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatalf("the kernel has kept the closed descriptor: %v", err)
	}
	const secret = "of somebody else"
	if _, err := syscall.Write(pair[1], []byte(secret)); err != nil {
		t.Fatal(err)
	}
	poller.serve(c, newReadTry()) // as by an event that was on its way
	c.Send(FrameText([]byte("late")))
	if end := s.ending(t); end.By != ByNobody {
		t.Errorf("it ended as %+v", end)
	}
	buf := make([]byte, 64)
	if n, err := syscall.Read(pair[1], buf); n > 0 {
		t.Errorf("the stranger was sent %q, %v", buf[:n], err)
	}
	if n, err := syscall.Read(fd, buf); err != nil || string(buf[:n]) != secret {
		t.Errorf("the stranger reads %q, %v, want %q", buf[:max(n, 0)], err, secret)
	}
	if err := poller.epoll.Control(func(epoll uintptr) { err = syscall.EpollCtl(int(epoll), syscall.EPOLL_CTL_DEL, fd, &stranger) }); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Errorf("the stranger's place in the epoll instance is gone: %v", err)
	}
}

// TestAnEventThatComesLate was on its way when its connection left: whoever has the
// place now does not get it.
func TestAnEventThatComesLate(t *testing.T) {
	p := NewPoller()
	first, second := new(Conn), new(Conn)
	at, generation := p.take(first)
	late := syscall.EpollEvent{Fd: int32(at), Pad: int32(generation)}
	if p.find(late) != first {
		t.Fatal("the connection is not found")
	}
	p.release(at)
	if c := p.find(late); c != nil {
		t.Error("a connection that has left is found")
	}
	again, generation := p.take(second)
	if again != at {
		t.Fatalf("the place was not used again: the test is about nothing")
	}
	if c := p.find(late); c != nil {
		t.Error("the event of one connection is another's")
	}
	if p.find(syscall.EpollEvent{Fd: int32(again), Pad: int32(generation)}) != second {
		t.Error("the second connection is not found")
	}
	if p.find(syscall.EpollEvent{Fd: 99, Pad: 1}) != nil {
		t.Error("a place that does not exist has a connection")
	}
}

// TestAPollerThatTakesNothing: connections that cannot wait in it are read all the
// same.
func TestAPollerThatTakesNothing(t *testing.T) {
	polled(t)
	closed := NewPoller()
	if err := closed.Open(); err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	s := serveTo(t, Options{Poller: closed}, func(c *Conn, ended chan Ending) Handler { return &echo{c, ended} })
	p, c := dial(t, s)
	for i := range 3 {
		text := fmt.Sprint("hello ", i)
		p.write(frame(0x81, text))
		p.expect("text " + text)
	}
	if got := readerOf(c); got != readerAlone {
		t.Errorf("it is read by %d", got)
	}
}

// descriptors is how many this process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}
