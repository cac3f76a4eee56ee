// Package wsclient is a small websocket client (RFC 6455) for tests. It knows
// nothing of the gateway's websocket library, so that a mistake in one does not
// hide a mistake in the other, and it can send frames that no client should.
//
// A Conn is used by one goroutine that reads and one that writes.
package wsclient

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// The opcodes of RFC 6455 5.2.
const (
	OpContinuation = 0x0
	OpText         = 0x1
	OpBinary       = 0x2
	OpClose        = 0x8
	OpPing         = 0x9
	OpPong         = 0xA
)

// maxFrame bounds what the client takes, in bytes.
const maxFrame = 16 << 20

// ErrTimeout: nothing came in time. The connection can still be used.
var ErrTimeout = errors.New("nothing came in time")

// CloseError is a close frame from the server. Code 1005: it had no code.
type CloseError struct {
	Code   int
	Reason string
}

func (e *CloseError) Error() string { return fmt.Sprintf("closed %d %q", e.Code, e.Reason) }

// Frame is one frame as it was on the wire.
type Frame struct {
	Fin     bool
	RSV     byte // the three reserved bits
	Opcode  byte
	Masked  bool // sending: mask it; received: it was masked, which is an error
	Payload []byte
}

// Conn is an open connection.
type Conn struct {
	raw net.Conn
	br  *bufio.Reader

	writing sync.Mutex
	timed   bool   // a read deadline is set; owned by the reader
	space   []byte // of Read's messages; owned by the reader
	// Pings counts the pings that Next saw. Owned by the reader.
	Pings int
	// Mute keeps Next from answering pings. Set it before reading.
	Mute bool
}

// Raw is the connection below, for tests that reset it or write no frames.
func (c *Conn) Raw() net.Conn { return c.raw }

// Narrow makes the kernel take few bytes ahead of a client that does not read:
// at most about twice so many.
func (c *Conn) Narrow(bytes int) error {
	raw := c.raw
	if over, ok := raw.(*tls.Conn); ok {
		raw = over.NetConn()
	}
	tcp, ok := raw.(*net.TCPConn)
	if !ok {
		return fmt.Errorf("narrow a %T", raw)
	}
	if err := tcp.SetReadBuffer(bytes); err != nil {
		return fmt.Errorf("set the receive buffer: %w", err)
	}
	return nil
}

// Drop closes the TCP connection without a close frame.
func (c *Conn) Drop() { _ = c.raw.Close() }

// Text sends one text message in one frame.
func (c *Conn) Text(s string) error {
	return c.Send(Frame{Fin: true, Opcode: OpText, Masked: true, Payload: []byte(s)})
}

// Leave sends a close frame and waits up to within for the server's answer and
// the end of the connection.
func (c *Conn) Leave(code int, within time.Duration) error {
	payload := binary.BigEndian.AppendUint16(nil, uint16(code))
	if err := c.Send(Frame{Fin: true, Opcode: OpClose, Masked: true, Payload: payload}); err != nil {
		return err
	}
	defer c.Drop()
	deadline := time.Now().Add(within)
	for {
		_, err := c.Next(time.Until(deadline))
		var closed *CloseError
		switch {
		case errors.As(err, &closed):
			return nil
		case err != nil:
			return err
		}
	}
}

// Send writes one frame, whatever it is.
func (c *Conn) Send(f Frame) error { return c.SendBytes(f.Bytes()) }

// SendBytes writes bytes that need not be frames.
func (c *Conn) SendBytes(b []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	_ = c.raw.SetWriteDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.raw.Write(b); err != nil {
		return fmt.Errorf("write to the gateway: %w", err)
	}
	return nil
}

// Bytes is the frame on the wire.
func (f Frame) Bytes() []byte {
	first := f.RSV<<4 | f.Opcode
	if f.Fin {
		first |= 0x80
	}
	var mask byte
	if f.Masked {
		mask = 0x80
	}
	out := []byte{first}
	switch n := len(f.Payload); {
	case n < 126:
		out = append(out, mask|byte(n))
	case n <= 0xFFFF:
		out = binary.BigEndian.AppendUint16(append(out, mask|126), uint16(n))
	default:
		out = binary.BigEndian.AppendUint64(append(out, mask|127), uint64(n))
	}
	if !f.Masked {
		return append(out, f.Payload...)
	}
	key := [4]byte{0x5A, 0xC3, 0x17, 0x9E} // fixed: a test client has no proxies to protect
	out = append(out, key[:]...)
	for i, b := range f.Payload {
		out = append(out, b^key[i%4])
	}
	return out
}

// Next reads the next text message, answering pings on the way. A close frame
// is a *CloseError, silence ErrTimeout, the end of the connection io.EOF or the
// network's error.
func (c *Conn) Next(within time.Duration) (string, error) {
	deadline := time.Now().Add(within)
	text, err := c.message(func() (Frame, error) { return c.ReadFrame(time.Until(deadline)) })
	return string(text), err
}

// Read is Next for load: it waits until a message comes or the connection is
// dropped, and the message is valid until the next call.
func (c *Conn) Read() ([]byte, error) {
	if c.timed {
		c.timed = false
		_ = c.raw.SetReadDeadline(time.Time{})
	}
	return c.message(func() (Frame, error) {
		f, err := c.readFrame(c.space)
		if cap(f.Payload) > cap(c.space) {
			c.space = f.Payload
		}
		return f, err
	})
}

// message reads frames until one is a text message.
func (c *Conn) message(read func() (Frame, error)) ([]byte, error) {
	for {
		f, err := read()
		if err != nil {
			return nil, err
		}
		switch {
		case f.Opcode == OpPing:
			c.Pings++
			if !c.Mute {
				_ = c.Send(Frame{Fin: true, Opcode: OpPong, Masked: true, Payload: f.Payload})
			}
		case f.Opcode == OpPong:
		case f.Opcode == OpClose:
			return nil, closeError(f.Payload)
		case f.Opcode == OpText && f.Fin:
			return f.Payload, nil
		default:
			return nil, fmt.Errorf("the server sent opcode %d, fin %t: one text frame a message was promised", f.Opcode, f.Fin)
		}
	}
}

func closeError(payload []byte) *CloseError {
	if len(payload) < 2 {
		return &CloseError{Code: 1005}
	}
	return &CloseError{Code: int(binary.BigEndian.Uint16(payload)), Reason: string(payload[2:])}
}

// ReadFrame reads one frame of any kind.
func (c *Conn) ReadFrame(within time.Duration) (Frame, error) {
	c.timed = true
	_ = c.raw.SetReadDeadline(time.Now().Add(max(within, time.Millisecond)))
	if _, err := c.br.Peek(2); err != nil { // consumes nothing, so a time-out here is harmless
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
			return Frame{}, ErrTimeout
		}
		return Frame{}, err
	}
	_ = c.raw.SetReadDeadline(time.Now().Add(10 * time.Second))
	return c.readFrame(nil)
}

// readFrame reads one frame; its payload is in space, if that is large enough.
func (c *Conn) readFrame(space []byte) (Frame, error) {
	head, err := c.br.Peek(2)
	if err != nil {
		return Frame{}, err
	}
	f := Frame{Fin: head[0]&0x80 != 0, RSV: head[0] >> 4 & 7, Opcode: head[0] & 0xF, Masked: head[1]&0x80 != 0}
	length := uint64(head[1] & 0x7F)
	_, _ = c.br.Discard(2)
	if length, err = c.extended(length); err != nil {
		return Frame{}, err
	}
	if f.Masked || f.RSV != 0 || length > maxFrame {
		return Frame{}, fmt.Errorf("the server sent a bad frame: masked %t, reserved bits %d, length %d", f.Masked, f.RSV, length)
	}
	if uint64(cap(space)) < length {
		space = make([]byte, length)
	}
	f.Payload = space[:length]
	if _, err := io.ReadFull(c.br, f.Payload); err != nil {
		return Frame{}, fmt.Errorf("read a frame of %d bytes: %w", length, err)
	}
	return f, nil
}

func (c *Conn) extended(length uint64) (uint64, error) {
	var size int
	switch length {
	case 126:
		size = 2
	case 127:
		size = 8
	default:
		return length, nil
	}
	var b [8]byte
	if _, err := io.ReadFull(c.br, b[8-size:]); err != nil {
		return 0, fmt.Errorf("read a frame's length: %w", err)
	}
	return binary.BigEndian.Uint64(b[:]), nil
}
