package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// socket is the smallest websocket client that can carry load: it masks what it
// sends (with a zero mask, which RFC 6455 5.3 lets a load generator do), and
// reads text frames into one reused buffer.
type socket struct {
	conn net.Conn
	in   *bufio.Reader
	buf  []byte
}

// dialSocket opens a websocket; a nil error means that the accept frame came.
func dialSocket(ctx context.Context, address, token string, n int) (*socket, error) {
	// A local address per 5,000 connections keeps clear of the ephemeral ports' end.
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+n/5000))}}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", address, err)
	}
	s := &socket{conn: conn, in: bufio.NewReaderSize(conn, 4096)}
	if err := s.handshake(address, token); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return s, nil
}

func (s *socket) handshake(address, token string) error {
	request := "GET /websocket HTTP/1.1\r\nHost: " + address +
		"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13" +
		"\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer " + token + "\r\n\r\n"
	if _, err := io.WriteString(s.conn, request); err != nil {
		return fmt.Errorf("write handshake: %w", err)
	}
	status, err := s.in.ReadString('\n')
	if err != nil {
		return fmt.Errorf("read handshake: %w", err)
	}
	if !strings.Contains(status, " 101 ") {
		return fmt.Errorf("handshake answered %s", strings.TrimSpace(status))
	}
	for {
		line, err := s.in.ReadString('\n')
		if err != nil {
			return fmt.Errorf("read handshake: %w", err)
		}
		if line == "\r\n" {
			break
		}
	}
	frame, err := s.read()
	if err != nil {
		return err
	}
	if !strings.HasPrefix(string(frame), `{"accept": true`) {
		return fmt.Errorf("first frame is %.100s", frame)
	}
	return nil
}

// subscribe sends the groups and waits for the answer.
func (s *socket) subscribe(groups map[string][]string) error {
	body, err := json.Marshal(map[string]any{"groups": groups})
	if err != nil {
		return fmt.Errorf("encode groups: %w", err)
	}
	if err := s.write(0x81, body); err != nil {
		return err
	}
	answer, err := s.read()
	if err != nil {
		return err
	}
	if !strings.HasPrefix(string(answer), `{"groups_current"`) {
		return fmt.Errorf("subscribe answered %.200s", answer)
	}
	return nil
}

func (s *socket) write(first byte, body []byte) error {
	frame := []byte{first}
	switch {
	case len(body) < 126:
		frame = append(frame, 0x80|byte(len(body)))
	case len(body) < 1<<16:
		frame = binary.BigEndian.AppendUint16(append(frame, 0x80|126), uint16(len(body)))
	default:
		frame = binary.BigEndian.AppendUint64(append(frame, 0x80|127), uint64(len(body)))
	}
	frame = append(append(frame, 0, 0, 0, 0), body...)
	if _, err := s.conn.Write(frame); err != nil {
		return fmt.Errorf("write frame: %w", err)
	}
	return nil
}

// read returns the next text frame, valid until the next read. It answers pings.
func (s *socket) read() ([]byte, error) {
	for {
		op, body, err := s.readFrame()
		if err != nil {
			return nil, err
		}
		switch op {
		case 0x1:
			return body, nil
		case 0x9:
			if err := s.write(0x8a, body); err != nil {
				return nil, err
			}
		case 0x8:
			return nil, fmt.Errorf("closed by the server: %d %s", binary.BigEndian.Uint16(append(body, 0, 0)), body[min(2, len(body)):])
		}
	}
}

func (s *socket) readFrame() (op byte, body []byte, err error) {
	var head [8]byte
	if _, err := io.ReadFull(s.in, head[:2]); err != nil {
		return 0, nil, fmt.Errorf("read frame: %w", err)
	}
	op = head[0] & 0x0f
	size := uint64(head[1] & 0x7f)
	switch size {
	case 126:
		_, err = io.ReadFull(s.in, head[:2])
		size = uint64(binary.BigEndian.Uint16(head[:2]))
	case 127:
		_, err = io.ReadFull(s.in, head[:8])
		size = binary.BigEndian.Uint64(head[:8])
	}
	if err != nil {
		return 0, nil, fmt.Errorf("read frame: %w", err)
	}
	if size > uint64(cap(s.buf)) {
		s.buf = make([]byte, size)
	}
	body = s.buf[:size]
	if _, err := io.ReadFull(s.in, body); err != nil {
		return 0, nil, fmt.Errorf("read frame: %w", err)
	}
	return op, body, nil
}

// close drops the connection without a handshake and so ends a blocked read.
func (s *socket) close() { _ = s.conn.Close() }

// openers is how many clients connect at a time: a storm after a deploy, in which
// questions to the worker wait for each other.
const openers = 256

// openMany opens count sockets, openers at a time, and subscribes each to what
// groups says; progress is called now and then.
func openMany(ctx context.Context, address, token string, count int, groups func(n int) map[string][]string, progress func(done int)) ([]*socket, error) {
	out := make([]*socket, count)
	errs := make(chan error, openers)
	next := make(chan int)
	for range openers {
		go func() {
			for n := range next {
				s, err := dialSocket(ctx, address, token, n)
				if err == nil {
					err = s.subscribe(groups(n))
				}
				if err != nil {
					errs <- fmt.Errorf("connection %d: %w", n, err)
					return
				}
				out[n] = s
			}
			errs <- nil
		}()
	}
	var failed error
	report := time.Now()
feed:
	for n := range count {
		if time.Since(report) > 2*time.Second {
			progress(n)
			report = time.Now()
		}
		select {
		case next <- n:
		case failed = <-errs:
			break feed
		}
	}
	close(next)
	left := openers
	if failed != nil {
		left--
	}
	for range left {
		if err := <-errs; err != nil && failed == nil {
			failed = err
		}
	}
	if failed != nil {
		closeAll(out)
		return nil, failed
	}
	return out, nil
}

func closeAll(sockets []*socket) {
	for _, s := range sockets {
		if s != nil {
			s.close()
		}
	}
}
