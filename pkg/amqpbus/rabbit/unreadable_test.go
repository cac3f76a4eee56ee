package rabbit

import (
	"context"
	"errors"
	"slices"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/brokertest"
)

// foreignEntries is what forges AMQP 1.0, or what AMQP 1.0 cannot carry.
func foreignEntries() map[string]amqp.Publishing {
	garbage := []byte("\x00\x53\x75\xff\xff\xff garbage")
	return map[string]amqp.Publishing{
		"type amqp-1.0":              {Type: "amqp-1.0", Body: garbage},
		"type amqp-1.0, empty":       {Type: "amqp-1.0"},
		"type amqp-1.0, data":        {Type: "amqp-1.0", Body: []byte("\x00\x53\x75\xa0\x03abc")},
		"type amqp-1.0, text":        {Type: "amqp-1.0", Body: []byte(`{"a": 1}`)},
		"type amqp-1.0, header only": {Type: "amqp-1.0", Body: []byte("\x00\x53\x70\x45")},
		"properties":                 {Headers: amqp.Table{"x-amqp-1.0-properties": garbage}, Body: []byte("p")},
		"application properties":     {Headers: amqp.Table{"x-amqp-1.0-app-properties": garbage}, Body: []byte("a")},
		"annotations":                {Headers: amqp.Table{"x-amqp-1.0-message-annotations": garbage}, Body: []byte("n")},
		"properties of text":         {Headers: amqp.Table{"x-amqp-1.0-properties": "text"}, Body: []byte("t")},
		"an offset":                  {Headers: amqp.Table{"x-stream-offset": int64(7)}, Body: []byte("o")},
		"an offset of text":          {Headers: amqp.Table{"x-stream-offset": "7"}, Body: []byte("s")},
		"a filter":                   {Headers: amqp.Table{"x-stream-filter-value": int32(7)}, Body: []byte("f")},
		"a decimal":                  {Headers: amqp.Table{"price": amqp.Decimal{Scale: 2, Value: 100}}, Body: []byte("d")},
		"CC":                         {Headers: amqp.Table{"CC": []any{"nowhere"}}, Body: []byte("c")},
		"BCC":                        {Headers: amqp.Table{"BCC": []any{"nowhere"}}, Body: []byte("c")},
		"a table":                    {Headers: amqp.Table{"t": amqp.Table{"k": "v"}}, Body: []byte("b")},
		"x-death":                    {Headers: amqp.Table{"x-death": "text"}, Body: []byte("x")},
		"x-exchange":                 {Headers: amqp.Table{"x-exchange": int32(1), "x-routing-key": true}, Body: []byte("x")},
		"no text":                    {ContentType: "\xff\xfe", Type: "\xff", Body: []byte("u")},
		"expiration":                 {Expiration: "5", Body: []byte("e")},
		"delivery mode":              {DeliveryMode: 7, Priority: 200, Body: []byte("m")},
	}
}

// TestEntriesThatNobodyShouldWrite: the broker ends the publisher's connection, or it
// takes the entry. Then the log is read on, with the entry or without it.
func TestEntriesThatNobodyShouldWrite(t *testing.T) {
	n := brokertest.Share(t)
	b := openBus(t, Options{URL: n.URL("guest")})
	for name, m := range foreignEntries() {
		t.Run(name, func(t *testing.T) {
			log := "log " + name
			declareLog(t, b, log)
			write(t, b, log, "before")
			if err := publishOnce(n.URL("guest"), log, m); err != nil {
				t.Logf("the broker does not take it: %v", err)
				return
			}
			write(t, b, log, "after", "last")
			got, ends := readOn(t, b, log, "last")
			t.Logf("read %q, through %d readers", got, ends+1)
			if n := len(got); n < 3 || n > 4 || got[0] != "before" || got[n-2] != "after" {
				t.Error("something else is missing, or comes twice")
			}
		})
	}
}

// TestManyEntriesThatNobodyCanRead stand behind one another and apart, in front of the
// reader and while it reads.
func TestManyEntriesThatNobodyCanRead(t *testing.T) {
	n := brokertest.Share(t)
	b := openBus(t, Options{URL: n.URL("guest")})
	declareLog(t, b, "log")
	spoil := func() {
		t.Helper()
		if err := publishOnce(n.URL("guest"), "log", amqp.Publishing{Type: "amqp-1.0"}); err != nil {
			t.Fatal(err)
		}
	}
	write(t, b, "log", numbers(1, 3)...)
	spoil()
	spoil()
	spoil()
	write(t, b, "log", numbers(4, 600)...)
	spoil()
	write(t, b, "log", numbers(601, 700)...)
	got, _ := readOn(t, b, "log", "700")
	got = slices.DeleteFunc(got, func(body string) bool { return body == "" })
	if !slices.Equal(got, numbers(1, 700)) {
		t.Errorf("read %d entries: %q", len(got), got)
	}
}

// readOn reads a log up to a body, with another reader where one has ended, as an owner
// does: from the entry on that it read last.
func readOn(t *testing.T, b amqpbus.Bus, log, last string) (bodies []string, ends int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	at, read := int64(0), int64(-1)
	for pause := (amqpbus.Backoff{}); ctx.Err() == nil; pause.Wait(ctx) {
		r, err := b.OpenLogReader(ctx, amqpbus.LogReaderOptions{Log: log, At: at})
		if err != nil {
			t.Fatalf("open at %d: %v", at, err)
		}
		for err == nil {
			var got []amqpbus.LogEntry
			got, err = r.Receive(ctx, 100)
			for _, e := range got {
				if e.Offset <= read {
					continue
				}
				bodies, at, read = append(bodies, string(e.Body)), e.Offset, e.Offset
				if string(e.Body) == last {
					_ = r.Close()
					return bodies, ends
				}
			}
		}
		if ends++; !errors.Is(err, amqpbus.ErrLogRefused) {
			t.Fatalf("behind %d: %v", read, err)
		}
		_ = r.Close()
	}
	t.Fatalf("nothing comes behind %d, %q", read, bodies)
	return nil, 0
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
