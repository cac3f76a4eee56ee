package rabbit

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// listener is the library as a consumer, behind a guard, of a broker that is
// played: it is told content headers as no real broker might send them. One
// goroutine calls it.
type listener struct {
	broker net.Conn
	conn   *amqp.Connection
	in     <-chan amqp.Delivery
	lost   <-chan *amqp.Error
	tag    uint64
}

// newListener opens a listener that ends with the test.
func newListener(t testing.TB) *listener {
	t.Helper()
	ours, theirs := net.Pipe()
	l := &listener{broker: theirs}
	var played sync.WaitGroup
	played.Go(func() { _ = l.play() }) // it ends with an error: the end of the connection
	t.Cleanup(func() { _ = ours.Close(); played.Wait() })
	var err error
	l.conn, err = amqp.Open(&guard{Conn: ours}, amqp.Config{SASL: []amqp.Authentication{&amqp.PlainAuth{}}, Vhost: "/", FrameSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	ch, err := l.conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	l.lost = l.conn.NotifyClose(make(chan *amqp.Error, 1))
	if l.in, err = ch.Consume("q", "c", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	return l
}

// hear delivers a message with this content header, whose body is 4 bytes.
func (l *listener) hear(header []byte) (amqp.Delivery, error) {
	l.tag++
	deliver := append([]byte{0, 60, 0, 60}, entry("c")...)
	deliver = append(binary.BigEndian.AppendUint64(deliver, l.tag), 0)
	deliver = append(append(deliver, entry("an exchange")...), entry("a key")...)
	if err := l.broker.SetWriteDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return amqp.Delivery{}, err
	}
	for _, f := range [][]byte{frame(1, 1, deliver), header, frame(3, 1, []byte("body"))} {
		if _, err := l.broker.Write(f); err != nil {
			return amqp.Delivery{}, l.why(err)
		}
	}
	d, ok := <-l.in
	if !ok {
		return d, l.why(io.EOF)
	}
	if d.DeliveryTag != l.tag || string(d.Body) != "body" || d.ContentType != "application/json" || d.MessageId != "an id" {
		return d, errors.New("the message arrived changed")
	}
	return d, nil
}

// why is the library's reason for the end of its connection.
func (l *listener) why(err error) error {
	if reason := <-l.lost; reason != nil {
		return reason
	}
	return err
}

// play answers what the library asks until its connection ends.
func (l *listener) play() error {
	defer func() { _ = l.broker.Close() }()
	answers := map[uint32][]byte{ // by class and method
		10<<16 | 11: frame(1, 0, []byte{0, 10, 0, 30, 0, 0, 0, 16, 0, 0, 0, 0}), // start-ok: tune, 1 MiB
		10<<16 | 40: frame(1, 0, []byte{0, 10, 0, 41, 0}),
		20<<16 | 10: frame(1, 1, []byte{0, 20, 0, 11, 0, 0, 0, 0}),
		60<<16 | 20: frame(1, 1, []byte{0, 60, 0, 21, 1, 'c'}),
	}
	var hello [8]byte
	if _, err := io.ReadFull(l.broker, hello[:]); err != nil {
		return err
	}
	start := []byte{0, 10, 0, 10, 0, 9, 0, 0, 0, 0}
	start = append(append(start, long([]byte("PLAIN"))...), long([]byte("en_US"))...)
	if _, err := l.broker.Write(frame(1, 0, start)); err != nil {
		return err
	}
	for {
		var begin [frameStart]byte
		if _, err := io.ReadFull(l.broker, begin[:]); err != nil {
			return err
		}
		payload := make([]byte, binary.BigEndian.Uint32(begin[3:])+frameEnd)
		if _, err := io.ReadFull(l.broker, payload); err != nil {
			return err
		}
		if answer := answers[binary.BigEndian.Uint32(payload)]; begin[0] == 1 && answer != nil {
			if _, err := l.broker.Write(answer); err != nil {
				return err
			}
		}
	}
}
