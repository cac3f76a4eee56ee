package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
)

// serveBare is the baseline of a fan-out, run as a process of its own: it
// accepts connections and, for each line "N SIZE" on its standard input, writes
// N frames of SIZE bytes to every connection, one write each, and nothing else.
// It prints its address first and a line after each round.
func serveBare(in io.Reader, out io.Writer) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer func() { _ = l.Close() }()
	if _, err := fmt.Fprintln(out, l.Addr()); err != nil {
		return err
	}
	accepted := make(chan net.Conn, 64)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	lines := make(chan string)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(in); s.Scan(); {
			lines <- s.Text()
		}
	}()
	var conns []net.Conn
	for {
		select {
		case c := <-accepted:
			conns = append(conns, c)
		case line, ok := <-lines:
			if !ok {
				return nil
			}
			var frames, size int
			if _, err := fmt.Sscan(line, &frames, &size); err != nil {
				return fmt.Errorf("read %q: %w", line, err)
			}
			for len(accepted) > 0 {
				conns = append(conns, <-accepted)
			}
			if err := writeAll(conns, frames, bytes.Repeat([]byte{'x'}, size)); err != nil {
				return err
			}
			if _, err := fmt.Fprintln(out, len(conns)); err != nil {
				return err
			}
		}
	}
}

func writeAll(conns []net.Conn, frames int, frame []byte) error {
	for range frames {
		for _, c := range conns {
			if _, err := c.Write(frame); err != nil {
				return fmt.Errorf("write to %s: %w", c.RemoteAddr(), err)
			}
		}
	}
	return nil
}

// bareServer drives a serveBare process.
type bareServer struct {
	process *process
	in      io.WriteCloser
	out     *bufio.Reader
	address string
}

func startBare(dir string) (*bareServer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find my own program: %w", err)
	}
	inRead, inWrite, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	outRead, outWrite, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	p, err := startPiped(dir, "bare", self, []string{"bare-server"}, inRead, outWrite)
	if err != nil {
		return nil, err
	}
	_, _ = inRead.Close(), outWrite.Close()
	b := &bareServer{process: p, in: inWrite, out: bufio.NewReader(outRead)}
	if _, err := fmt.Fscanln(b.out, &b.address); err != nil {
		b.stop()
		return nil, fmt.Errorf("read the bare server's address: %w", err)
	}
	return b, nil
}

// round writes frames of size bytes to every connection and waits for it.
func (b *bareServer) round(frames, size int) error {
	if _, err := fmt.Fprintln(b.in, frames, size); err != nil {
		return fmt.Errorf("ask the bare server: %w", err)
	}
	var conns int
	if _, err := fmt.Fscanln(b.out, &conns); err != nil {
		return fmt.Errorf("hear from the bare server: %w", err)
	}
	return nil
}

func (b *bareServer) stop() {
	_ = b.in.Close()
	b.process.stop()
}
