package rabbit

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"belfry/pkg/amqpbus"
)

// declareLog declares a log.
func declareLog(t *testing.T, b amqpbus.Bus, name string) {
	t.Helper()
	if err := b.Declare(t.Context(), amqpbus.Topology{Queues: []amqpbus.Queue{{Name: name, Stream: true}}}); err != nil {
		t.Fatal(err)
	}
}

// write publishes bodies to a queue, all of which must be confirmed.
func write(t *testing.T, b amqpbus.Bus, queue string, bodies ...string) {
	t.Helper()
	var messages []amqpbus.Message
	for _, body := range bodies {
		messages = append(messages, amqpbus.Message{Key: queue, Mandatory: true, Body: []byte(body)})
	}
	confirmed(t, b, messages...)
}

func confirmed(t *testing.T, b amqpbus.Bus, messages ...amqpbus.Message) {
	t.Helper()
	p, err := b.OpenPublisher(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	outcomes := make(chan error, len(messages))
	for _, m := range messages {
		if err := p.Publish(t.Context(), m, func(err error) { outcomes <- err }); err != nil {
			t.Fatal(err)
		}
	}
	for range messages {
		if err := <-outcomes; err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// openReader opens a reader and closes it at the end of the test.
func openReader(t *testing.T, b amqpbus.Bus, log string, at int64) *logReader {
	t.Helper()
	r, err := b.OpenLogReader(t.Context(), amqpbus.LogReaderOptions{Log: log, At: at})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r.(*logReader)
}

// read reads so many entries.
func read(t *testing.T, r amqpbus.LogReader, n int) []amqpbus.LogEntry {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out []amqpbus.LogEntry
	for len(out) < n {
		got, err := r.Receive(ctx, n-len(out))
		if err != nil {
			t.Fatalf("receive after %d of %d: %v", len(out), n, err)
		}
		out = append(out, got...)
	}
	return out
}

// endOf reads until the reader ends.
func endOf(t *testing.T, r amqpbus.LogReader) (entries []amqpbus.LogEntry, end error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		got, err := r.Receive(ctx, 1000)
		if err != nil {
			return entries, err
		}
		entries = append(entries, got...)
	}
}

// eventually tries until ok, which is a condition that no event announces.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-late.C:
			t.Fatalf("waited %s in vain: %s", patience, what)
		}
	}
}

// full waits until as much waits for the owner of a reader as may.
func full(t *testing.T, r *logReader) {
	t.Helper()
	eventually(t, "the reader is full", func() bool { return waiting(r) > amqpbus.LogWaiting })
}

func waiting(r *logReader) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bytes
}

func numbers(from, to int) []string {
	var out []string
	for i := from; i <= to; i++ {
		out = append(out, fmt.Sprint(i))
	}
	return out
}

// muffler stands between a bus and its broker. Once it is mute the broker hears
// nothing more, on connections that are open and on new ones.
type muffler struct {
	listener net.Listener
	mute     atomic.Bool
}

func newMuffler(t *testing.T, broker string) *muffler {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &muffler{listener: l}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go m.join(c, broker)
		}
	}()
	return m
}

func (m *muffler) join(client net.Conn, broker string) {
	server, err := net.Dial("tcp", broker)
	if err != nil {
		_ = client.Close()
		return
	}
	go func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	}()
	_, _ = io.Copy(muted{m, server}, client)
	_ = server.Close()
}

// address is a broker's URL that leads through the muffler.
func (m *muffler) address(url, broker string) string {
	return strings.Replace(url, broker, m.listener.Addr().String(), 1)
}

type muted struct {
	*muffler
	to io.Writer
}

func (m muted) Write(p []byte) (int, error) {
	if m.mute.Load() {
		return len(p), nil
	}
	return m.to.Write(p)
}
