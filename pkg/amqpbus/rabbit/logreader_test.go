package rabbit

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/brokertest"
)

// TestAnUnansweredReader: a node that does not answer who wants to read is left
// after LogStepWithin, with its connection, and the next one is asked.
func TestAnUnansweredReader(t *testing.T) {
	n := brokertest.Share(t)
	mute := newMuffler(t, n.Node.Address())
	through, direct := mute.address(n.URL("guest"), n.Node.Address()), n.URL("guest")
	declareLog(t, openBus(t, Options{URL: direct}), "log")
	write(t, openBus(t, Options{URL: direct}), "log", "1")
	b := openBus(t, Options{URL: through, Heartbeat: 5 * time.Minute})
	r := openReader(t, b, "log", 0)
	read(t, r, 1)
	if err := r.Close(); err != nil { // its connection waits for the next reader
		t.Fatal(err)
	}
	t.Cleanup(func() { mute.mute.Store(false) }) // or no bus can be closed in order
	mute.mute.Store(true)
	began := time.Now()
	_, err := b.OpenLogReader(t.Context(), amqpbus.LogReaderOptions{Log: "log"})
	if !errors.Is(err, amqpbus.ErrLogUnanswered) || time.Since(began) < amqpbus.LogStepWithin {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
	select { // it is closed beside what the caller does
	case <-r.c.conn.NotifyClose(make(chan *amqp.Error, 1)):
	case <-time.After(time.Minute):
		t.Error("the connection on which nobody answers is kept")
	}
	mute.mute.Store(false)
	both := openBus(t, Options{URL: through + "," + direct, Heartbeat: 5 * time.Minute})
	t.Cleanup(func() { mute.mute.Store(false) })
	mute.mute.Store(true)
	if e := read(t, openReader(t, both, "log", 0), 1)[0]; string(e.Body) != "1" {
		t.Errorf("the other node brings %q", e.Body)
	}
}

// TestAReadersConnection is its own, and waits for the next reader when it was left
// in order.
func TestAReadersConnection(t *testing.T) {
	n := brokertest.Share(t)
	b := openBus(t, Options{URL: n.URL("guest")})
	declareLog(t, b, "log")
	write(t, b, "log", "1")
	first := openReader(t, b, "log", 0)
	second := openReader(t, b, "log", 0)
	if first.c.conn == second.c.conn {
		t.Fatal("two readers share a connection")
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	third := openReader(t, b, "log", 0)
	if third.c.conn != first.c.conn {
		t.Error("the connection was not used again")
	}
	_ = second.c.conn.socket.Close()
	if _, err := endOf(t, second); !errors.Is(err, amqpbus.ErrLinkLost) {
		t.Errorf("a reader whose connection was cut: %v", err)
	}
	if got := read(t, third, 1); string(got[0].Body) != "1" {
		t.Errorf("the other reads %q", got[0].Body)
	}
	silent := openReader(t, b, "log", amqpbus.LogNext) // it may hang
	if err := silent.Close(); err != nil {
		t.Fatal(err)
	}
	if !silent.c.conn.IsClosed() {
		t.Error("the connection of a reader that brought nothing is kept")
	}
}

// TestWhatWaitsIsBounded: the broker sends 256 entries, of whatever size, and what
// the owner does not take stays in the socket.
func TestWhatWaitsIsBounded(t *testing.T) {
	n := brokertest.Share(t)
	b := openBus(t, Options{URL: n.URL("guest")})
	declareLog(t, b, "log")
	const entries, size = 40, 1 << 20
	body := strings.Repeat("x", size)
	for range entries {
		write(t, b, "log", body)
	}
	r := openReader(t, b, "log", 0)
	full(t, r)
	read(t, openReader(t, b, "log", 0), entries) // long enough for all of them
	if got, bound := waiting(r), amqpbus.LogWaiting+2*(size+entryOverhead); got > bound {
		t.Errorf("%d bytes wait, the bound is %d", got, bound)
	}
	if got := read(t, r, entries); len(got[entries-1].Body) != size {
		t.Error("an entry is not whole")
	}
	if got := waiting(r); got != 0 {
		t.Errorf("%d bytes wait when all were taken", got)
	}
}

// TestALogWithOtherBounds is kept as it is, and somebody is told.
func TestALogWithOtherBounds(t *testing.T) {
	n := brokertest.Share(t)
	conn, err := amqp.Dial(n.URL("guest"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	for name, arguments := range map[string]amqp.Table{
		"older":    {"x-queue-type": "stream", "x-max-age": "1h"},
		"operated": {"x-queue-type": "stream", "x-max-age": "600s", "x-max-length-bytes": int64(1 << 30)},
	} {
		if _, err := ch.QueueDeclare(name, true, false, false, false, arguments); err != nil {
			t.Fatal(err)
		}
		core, logs := observer.New(zap.WarnLevel)
		b := openBus(t, Options{URL: n.URL("guest"), Logger: zap.New(core)})
		declareLog(t, b, name)
		if logs.FilterMessageSnippet("other bounds").FilterField(zap.String("log", name)).Len() != 1 {
			t.Errorf("%s: nobody was told: %v", name, logs.All())
		}
		write(t, b, name, "held")
		read(t, openReader(t, b, name, 0), 1)
	}
}

// TestLogReasons has what RabbitMQ 3.10 and 4.0 said to readers.
func TestLogReasons(t *testing.T) {
	for _, c := range []struct {
		code     int
		text     string
		is, also error
	}{
		{404, "NOT_FOUND - no queue 'log' in vhost '/'", amqpbus.ErrLogGone, nil},
		{404, "NOT_FOUND - home node 'rabbit@b' of durable queue 'log' in vhost '/' is down or inaccessible", amqpbus.ErrLogRefused, amqpbus.ErrHomeNode},
		{406, "PRECONDITION_FAILED - queue 'log' in vhost '/' does not have a running replica on the local node", amqpbus.ErrLogRefused, nil},
		{406, "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: 5000 ms", amqpbus.ErrLogRefused, nil},
		{403, "ACCESS_REFUSED - access to queue 'log' in vhost '/' refused for user 'b'", amqpbus.ErrLogRefused, amqpbus.ErrPermission},
		{506, "RESOURCE_ERROR - Stream not found", amqpbus.ErrLogRefused, nil},
		{541, "INTERNAL_ERROR", amqpbus.ErrLogRefused, nil},
		{320, "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'", amqpbus.ErrLinkLost, nil},
	} {
		got := logReason(&amqp.Error{Code: c.code, Reason: c.text, Server: true})
		if !errors.Is(got, c.is) || c.also != nil && !errors.Is(got, c.also) || !strings.Contains(got.Error(), c.text) {
			t.Errorf("%s:\n%v", c.text, got)
		}
	}
	if got := logReason(amqp.ErrClosed); !errors.Is(got, amqpbus.ErrLinkLost) {
		t.Errorf("an error of the library: %v", got)
	}
	for text, code := range map[string]int{
		"INTERNAL_ERROR - Cannot declare a queue 'queue 'log' in vhost '/'' of type 'rabbit_stream_queue' on node 'rabbit@a': the corresponding feature flag is disabled": 541,
		"PRECONDITION_FAILED - invalid arg 'x-queue-type' for queue 'log' in vhost '/': invalid_queue_type":                                                               406,
	} {
		if got := reason(&amqp.Error{Code: code, Reason: text, Server: true}); !errors.Is(got, amqpbus.ErrNoStreams) || !amqpbus.Standing(got) {
			t.Errorf("%s:\n%v", text, got)
		}
	}
}

// TestALogNobodyServes is told by the health, after a minute; what an operator must
// mend at once.
func TestALogNobodyServes(t *testing.T) {
	n := brokertest.Share(t)
	if err := n.AddUser("narrow", ".*", ".*", "^$"); err != nil {
		t.Fatal(err)
	}
	b := openBus(t, Options{URL: n.URL("narrow")})
	declareLog(t, b, "log")
	if _, err := b.OpenLogReader(t.Context(), amqpbus.LogReaderOptions{Log: "log"}); !errors.Is(err, amqpbus.ErrLogRefused) || !errors.Is(err, amqpbus.ErrPermission) {
		t.Errorf("without the permission: %v", err)
	}
	healthy(t, b, func(h amqpbus.Health) bool { return h.Connected && strings.Contains(h.Refused, "log") })

	b = openBus(t, Options{URL: n.URL("guest")})
	open := func() {
		if _, err := b.OpenLogReader(t.Context(), amqpbus.LogReaderOptions{Log: "missing"}); !errors.Is(err, amqpbus.ErrLogGone) {
			t.Errorf("a missing log: %v", err)
		}
	}
	open()
	if h := b.Health(); h.Refused != "" {
		t.Errorf("it passes, as a rule: %s", h.Refused)
	}
	reading := b.(*bus).reading
	reading.mu.Lock()
	reading.failing["missing"] = time.Now().Add(-failsFor) // a minute ago
	reading.mu.Unlock()
	open()
	if h := b.Health(); !strings.Contains(h.Refused, "missing") {
		t.Errorf("nobody is told of a log that is missing for a minute: %q", h.Refused)
	}
	declareLog(t, b, "missing")
	openReader(t, b, "missing", 0)
	if reading.mu.Lock(); len(reading.failing) != 0 {
		t.Error("it is remembered as failing")
	}
	reading.mu.Unlock()
}

// TestALogReaderThatIsNotRead can be closed all the same.
func TestALogReaderThatIsNotRead(t *testing.T) {
	n := brokertest.Share(t)
	b := openBus(t, Options{URL: n.URL("guest")})
	declareLog(t, b, "log")
	for range 30 {
		write(t, b, "log", strings.Repeat("x", 1<<20))
	}
	r := openReader(t, b, "log", 0)
	full(t, r)
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := r.Receive(ctx, 1); !errors.Is(err, amqpbus.ErrClosed) {
		t.Errorf("after the close: %v", err)
	}
}
