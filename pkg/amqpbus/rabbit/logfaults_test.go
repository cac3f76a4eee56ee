package rabbit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/brokertest"
)

// TestALogSurvivesAKilledBroker: what was confirmed is there, at the same offsets.
func TestALogSurvivesAKilledBroker(t *testing.T) {
	n := brokertest.Start(t)
	b := openBus(t, Options{URL: n.URL("guest")})
	declareLog(t, b, "log")
	write(t, b, "log", numbers(0, 999)...)
	r := openReader(t, b, "log", 0)
	before := read(t, r, 1000)
	n.Kill9()
	if _, err := endOf(t, r); !errors.Is(err, amqpbus.ErrLinkLost) {
		t.Errorf("the reader ended with %v", err)
	}
	if _, err := b.OpenLogReader(t.Context(), amqpbus.LogReaderOptions{Log: "log"}); !errors.Is(err, amqpbus.ErrLinkLost) {
		t.Errorf("a reader without a broker: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := n.StartAgain(ctx); err != nil {
		t.Fatal(err)
	}
	healthy(t, b, func(h amqpbus.Health) bool { return h.Connected })
	var again *logReader
	for pause := (amqpbus.Backoff{}); ctx.Err() == nil; pause.Wait(ctx) {
		got, err := b.OpenLogReader(ctx, amqpbus.LogReaderOptions{Log: "log", At: before[500].Offset})
		if err == nil {
			again = got.(*logReader)
			break
		}
		t.Logf("the log is not served yet: %v", err)
	}
	defer func() { _ = again.Close() }()
	for i, e := range read(t, again, 500) {
		if e.Offset != before[500+i].Offset || string(e.Body) != fmt.Sprint(500+i) {
			t.Fatalf("at %d stands %d, %q", before[500+i].Offset, e.Offset, e.Body)
		}
	}
	write(t, b, "log", "goes on")
	if e := read(t, again, 1)[0]; string(e.Body) != "goes on" || e.Offset <= before[999].Offset {
		t.Errorf("then comes %d, %q", e.Offset, e.Body)
	}
}

// TestReadingUnderAnAlarm: readers never publish, so no alarm blocks them.
func TestReadingUnderAnAlarm(t *testing.T) {
	n := brokertest.Start(t)
	b := openBus(t, Options{URL: n.URL("guest")})
	declareLog(t, b, "log")
	write(t, b, "log", numbers(1, 1000)...)
	open := openReader(t, b, "log", 0)
	read(t, open, 1)
	if _, err := n.Ctl("set_vm_memory_high_watermark", "absolute", "1MB"); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := n.Ctl("set_vm_memory_high_watermark", "0.4"); err != nil {
			t.Error(err)
		}
	}()
	read(t, open, 999)
	read(t, openReader(t, b, "log", 0), 1000)
}

// TestRetentionOvertakesAReader takes away what a reader has yet to read. It must
// not stand still: it ends, or goes on behind the hole, and what comes is in order.
func TestRetentionOvertakesAReader(t *testing.T) {
	n := brokertest.Share(t)
	b := openBus(t, Options{URL: n.URL("guest")})
	declareLog(t, b, "log")
	const entries = 160
	var bodies []string
	for i := range entries {
		bodies = append(bodies, fmt.Sprintf("%d %s", i, strings.Repeat("x", 256<<10)))
	}
	write(t, b, "log", bodies...) // 40 segments
	r := openReader(t, b, "log", 0)
	read(t, r, 1) // the rest waits, in the socket and in the broker
	if err := n.Node.SetPolicy(n.Name, "short", "log", map[string]any{"max-length-bytes": 2 << 20}); err != nil {
		t.Fatal(err)
	}
	first := int64(-1)
	eventually(t, "the policy takes something away", func() bool {
		fresh := openReader(t, b, "log", 0)
		first = read(t, fresh, 1)[0].Offset
		_ = fresh.Close()
		return first > 0
	})
	write(t, b, "log", "the last")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	last, step := int64(0), int64(0)
	for ctx.Err() == nil {
		got, err := r.Receive(ctx, 1000)
		if err != nil {
			t.Logf("first held %d: the reader ended behind %d: %v", first, last, err)
			if errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the reader stands still behind %d", last)
			}
			return
		}
		for _, e := range got {
			if e.Offset <= last {
				t.Fatalf("%d comes behind %d", e.Offset, last)
			}
			last, step = e.Offset, max(step, e.Offset-last)
		}
		if string(got[len(got)-1].Body) == "the last" {
			t.Logf("first held %d: the reader reached the end, its largest step was %d", first, step)
			return
		}
	}
}

// TestEntriesThatNobodyShouldWrite publishes what forges AMQP 1.0: the broker takes
// it or ends the publisher's connection, and the log is read on.
func TestEntriesThatNobodyShouldWrite(t *testing.T) {
	n := brokertest.Share(t)
	b := openBus(t, Options{URL: n.URL("guest")})
	declareLog(t, b, "log")
	garbage := []byte("\x00\x53\x75\xff\xff\xff garbage")
	taken := []string{}
	for _, c := range []struct {
		name string
		m    amqp.Publishing
	}{
		{"type amqp-1.0", amqp.Publishing{Type: "amqp-1.0", Body: garbage}},
		{"type amqp-1.0, empty", amqp.Publishing{Type: "amqp-1.0"}},
		{"type amqp-1.0, a section of data", amqp.Publishing{Type: "amqp-1.0", Body: []byte("\x00\x53\x75\xa0\x03abc")}},
		{"properties", amqp.Publishing{Headers: amqp.Table{"x-amqp-1.0-properties": garbage}, Body: []byte("p")}},
		{"application properties", amqp.Publishing{Headers: amqp.Table{"x-amqp-1.0-app-properties": garbage}, Body: []byte("a")}},
		{"annotations", amqp.Publishing{Headers: amqp.Table{"x-amqp-1.0-message-annotations": garbage}, Body: []byte("n")}},
		{"properties of text", amqp.Publishing{Headers: amqp.Table{"x-amqp-1.0-properties": "text"}, Body: []byte("t")}},
		{"an offset", amqp.Publishing{Headers: amqp.Table{"x-stream-offset": int64(7)}, Body: []byte("o")}},
		{"an offset of text", amqp.Publishing{Headers: amqp.Table{"x-stream-offset": "7"}, Body: []byte("s")}},
		{"a filter", amqp.Publishing{Headers: amqp.Table{"x-stream-filter-value": int32(7)}, Body: []byte("f")}},
		{"a decimal", amqp.Publishing{Headers: amqp.Table{"price": amqp.Decimal{Scale: 2, Value: 100}}, Body: []byte("d")}},
		{"CC", amqp.Publishing{Headers: amqp.Table{"CC": []any{"nowhere"}}, Body: []byte("c")}},
		{"a table", amqp.Publishing{Headers: amqp.Table{"t": amqp.Table{"k": "v"}}, Body: []byte("b")}},
	} {
		c.m.MessageId = c.name
		err := publishOnce(n.URL("guest"), "log", c.m)
		t.Logf("%s: %v", c.name, err)
		if err == nil {
			taken = append(taken, c.name)
		}
	}
	confirmed(t, b, amqpbus.Message{Key: "log", ID: "good", Mandatory: true, Body: []byte("good")})
	var got []string
	for r := openReader(t, b, "log", 0); !slices.Contains(got, "good"); {
		e := read(t, r, 1)[0]
		t.Logf("offset %d: id %q, type %q, headers %v, body %q", e.Offset, e.ID, e.Type, e.Headers, e.Body)
		got = append(got, e.ID)
	}
	if want := append(taken, "good"); !slices.Equal(got, want) {
		t.Errorf("read %q, taken were %q", got, want)
	}
	// And from each of them on, as a leader does that begins there.
	for at := range int64(len(got)) {
		e := read(t, openReader(t, b, "log", at), 1)[0]
		if e.Offset != at {
			t.Errorf("a reader at %d begins at %d", at, e.Offset)
		}
	}
}

// publishOnce publishes one message on a connection of its own.
func publishOnce(url, queue string, m amqp.Publishing) error {
	conn, err := amqp.Dial(url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	if err := ch.Confirm(false); err != nil {
		return err
	}
	lost := ch.NotifyClose(make(chan *amqp.Error, 1))
	confirm, err := ch.PublishWithDeferredConfirm("", queue, true, false, m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if acked, err := confirm.WaitContext(ctx); err != nil {
		return err
	} else if !acked {
		return <-lost
	}
	return nil
}
