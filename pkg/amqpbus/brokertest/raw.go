package brokertest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"
)

// rawPatience bounds every answer of the broker to a Raw.
const rawPatience = 15 * time.Second

// Raw publishes what no client library writes: the header table goes to the
// broker as the bytes that the caller made. It speaks as much AMQP 0-9-1 as that
// takes. Its methods are called by one goroutine.
type Raw struct {
	conn     net.Conn
	in       *bufio.Reader
	version  string
	frameMax int
}

// RawMessage is a message with a header table of the caller's bytes.
type RawMessage struct {
	Exchange, Key string
	ID            string        // message id; empty: none
	Expiration    time.Duration // 0: none
	Table         []byte        // the entries of the header table, without its length; nil: no table
	Body          []byte
}

// Methods of AMQP 0-9-1 (class<<16 | method) that Raw sends or expects.
const (
	connectionStart   = 10<<16 | 10
	connectionStartOk = 10<<16 | 11
	connectionTune    = 10<<16 | 30
	connectionTuneOk  = 10<<16 | 31
	connectionOpen    = 10<<16 | 40
	connectionOpenOk  = 10<<16 | 41
	connectionClose   = 10<<16 | 50
	channelOpen       = 20<<16 | 10
	channelOpenOk     = 20<<16 | 11
	channelClose      = 20<<16 | 40
	confirmSelect     = 85<<16 | 10
	confirmSelectOk   = 85<<16 | 11
	basicPublish      = 60<<16 | 40
	basicAck          = 60<<16 | 80
)

// DialRaw connects to a broker's address (amqp://user:password@host:port/vhost)
// and opens a channel with confirms.
func DialRaw(address string) (*Raw, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("dial raw: %w", err)
	}
	conn, err := net.DialTimeout("tcp", u.Host, rawPatience)
	if err != nil {
		return nil, fmt.Errorf("dial raw: %w", err)
	}
	r := &Raw{conn: conn, in: bufio.NewReader(conn)}
	if err := r.open(u); err != nil {
		return nil, errors.Join(fmt.Errorf("dial raw: %w", err), conn.Close())
	}
	return r, nil
}

func (r *Raw) open(u *url.URL) error {
	password, _ := u.User.Password()
	vhost := strings.TrimPrefix(u.Path, "/")
	if vhost == "" {
		vhost = "/"
	}
	if _, err := r.conn.Write([]byte("AMQP\x00\x00\x09\x01")); err != nil {
		return err
	}
	start, err := r.expect(connectionStart)
	if err != nil {
		return err
	}
	r.version = serverVersion(start)
	var ok wire
	ok.long(0) // client properties: an empty table
	ok.short("PLAIN").longString("\x00" + u.User.Username() + "\x00" + password).short("en_US")
	if err := r.method(0, connectionStartOk, ok); err != nil {
		return err
	}
	tune, err := r.expect(connectionTune)
	if err != nil {
		return err
	}
	if len(tune) != 8 {
		return fmt.Errorf("connection.tune has %d bytes", len(tune))
	}
	r.frameMax = int(binary.BigEndian.Uint32(tune[2:]))
	var agreed wire
	agreed = append(agreed, tune[:6]...)
	agreed = append(agreed, 0, 0) // no heartbeat
	if err := r.method(0, connectionTuneOk, agreed); err != nil {
		return err
	}
	var open wire
	open.short(vhost).short("").octet(0)
	for _, step := range []struct {
		channel    uint16
		send, want uint32
		arguments  wire
	}{
		{0, connectionOpen, connectionOpenOk, open},
		{1, channelOpen, channelOpenOk, wire{0}},
		{1, confirmSelect, confirmSelectOk, wire{0}},
	} {
		if err := r.method(step.channel, step.send, step.arguments); err != nil {
			return err
		}
		if _, err := r.expect(step.want); err != nil {
			return err
		}
	}
	return nil
}

// Version is the broker's version as it says itself, such as "3.10.8". Empty: it
// does not say.
func (r *Raw) Version() string { return r.version }

// serverVersion reads the version among the server properties of a
// connection.start.
func serverVersion(arguments []byte) string {
	_, value, there := bytes.Cut(arguments, []byte("\x07versionS"))
	if !there || len(value) < 4 {
		return ""
	}
	return string(value[4:min(len(value), 4+int(binary.BigEndian.Uint32(value)))])
}

// FrameMax is the size of the largest frame that the broker takes, all told.
func (r *Raw) FrameMax() int { return r.frameMax }

// Publish publishes m and waits until the broker has confirmed it. A broker that
// does not take it says so in the error.
func (r *Raw) Publish(m RawMessage) error {
	var to wire
	to.octet(0).octet(0).short(m.Exchange).short(m.Key).octet(0)
	if err := r.method(1, basicPublish, to); err != nil {
		return err
	}
	var flags uint16
	var properties wire
	if m.Table != nil {
		flags |= 1 << 13
		properties.longString(string(m.Table))
	}
	if m.Expiration > 0 {
		flags |= 1 << 8
		properties.short(fmt.Sprint(m.Expiration.Milliseconds()))
	}
	if m.ID != "" {
		flags |= 1 << 7
		properties.short(m.ID)
	}
	var header wire
	header.octet(0).octet(60).octet(0).octet(0) // class basic, weight 0
	header = binary.BigEndian.AppendUint64(header, uint64(len(m.Body)))
	header = binary.BigEndian.AppendUint16(header, flags)
	if err := r.frame(2, 1, append(header, properties...)); err != nil {
		return err
	}
	for body := m.Body; len(body) > 0; {
		n := min(len(body), r.frameMax-8)
		if err := r.frame(3, 1, body[:n]); err != nil {
			return err
		}
		body = body[n:]
	}
	_, err := r.expect(basicAck)
	return err
}

// Close ends the connection without a word.
func (r *Raw) Close() error { return r.conn.Close() }

func (r *Raw) method(channel uint16, method uint32, arguments wire) error {
	return r.frame(1, channel, append(binary.BigEndian.AppendUint32(nil, method), arguments...))
}

func (r *Raw) frame(kind byte, channel uint16, payload []byte) error {
	var f wire
	f.octet(kind)
	f = binary.BigEndian.AppendUint16(f, channel)
	f.longString(string(payload)).octet(0xCE)
	_, err := r.conn.Write(f)
	return err
}

// expect reads the next method frame and returns its arguments.
func (r *Raw) expect(want uint32) ([]byte, error) {
	if err := r.conn.SetReadDeadline(time.Now().Add(rawPatience)); err != nil {
		return nil, err
	}
	for {
		var start [7]byte
		if _, err := io.ReadFull(r.in, start[:]); err != nil {
			return nil, err
		}
		payload := make([]byte, binary.BigEndian.Uint32(start[3:])+1)
		if _, err := io.ReadFull(r.in, payload); err != nil {
			return nil, err
		}
		if start[0] != 1 || len(payload) < 5 {
			continue
		}
		method, arguments := binary.BigEndian.Uint32(payload), payload[4:len(payload)-1]
		switch method {
		case want:
			return arguments, nil
		case connectionClose, channelClose:
			return nil, fmt.Errorf("the broker refuses: %q", arguments)
		default:
			return nil, fmt.Errorf("the broker sent method %d.%d, expected %d.%d", method>>16, method&0xFFFF, want>>16, want&0xFFFF)
		}
	}
}

// wire is AMQP 0-9-1 being written (4.2).
type wire []byte

func (w *wire) octet(b byte) *wire {
	*w = append(*w, b)
	return w
}

func (w *wire) long(v uint32) *wire {
	*w = binary.BigEndian.AppendUint32(*w, v)
	return w
}

func (w *wire) short(s string) *wire {
	*w = append(append(*w, byte(len(s))), s...)
	return w
}

func (w *wire) longString(s string) *wire {
	*w = append(binary.BigEndian.AppendUint32(*w, uint32(len(s))), s...)
	return w
}
