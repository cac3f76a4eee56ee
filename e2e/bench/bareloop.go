package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
)

// serveLoop is the baseline of a fan-out: it accepts connections and, for each line
// "N SIZE", writes N frames of SIZE bytes to every connection, one write each, and
// nothing else. It prints the number of connections after each round.
func serveLoop(in io.Reader, out io.Writer) error {
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
