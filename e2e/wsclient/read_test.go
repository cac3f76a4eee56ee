package wsclient

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"strings"
	"testing"
	"time"
)

// TestRead reads messages of all lengths without a time-out, after one that had
// one, answers a ping on the way, and ends with the server's close frame.
func TestRead(t *testing.T) {
	t.Parallel()
	here, there := net.Pipe()
	t.Cleanup(func() { _, _ = here.Close(), there.Close() })
	c := &Conn{raw: here, br: bufio.NewReader(here)}
	if _, err := c.Next(time.Millisecond); !errors.Is(err, ErrTimeout) {
		t.Fatalf("from silence: %v", err)
	}
	texts := []string{"a", strings.Repeat("b", 125), strings.Repeat("c", 126), strings.Repeat("d", 70000), "", "e"}
	pong := make(chan []byte, 1)
	go func() {
		for i, text := range texts {
			if i == 3 {
				_, _ = there.Write(Frame{Fin: true, Opcode: OpPing, Payload: []byte("ping")}.Bytes())
				answer := make([]byte, 2+4+len("ping"))
				_, _ = there.Read(answer)
				pong <- answer
			}
			_, _ = there.Write(Frame{Fin: true, Opcode: OpText, Payload: []byte(text)}.Bytes())
		}
		_, _ = there.Write(Frame{Fin: true, Opcode: OpClose, Payload: []byte("\x03\xf5gone")}.Bytes())
	}()
	for _, text := range texts {
		got, err := c.Read()
		if err != nil || string(got) != text {
			t.Fatalf("got %.20q (%d bytes), %v; want %.20q", got, len(got), err, text)
		}
	}
	if want := (Frame{Fin: true, Opcode: OpPong, Masked: true, Payload: []byte("ping")}).Bytes(); !bytes.Equal(<-pong, want) {
		t.Error("the ping was not answered")
	}
	var closed *CloseError
	if _, err := c.Read(); !errors.As(err, &closed) || closed.Code != 1013 {
		t.Errorf("the end is %v, want 1013", err)
	}
}
