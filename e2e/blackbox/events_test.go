package blackbox

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"belfry/e2e/harness"
	"belfry/e2e/wsclient"
)

// events are the rows of the section "Events".
var events = []row{
	{name: "headers that a client library cannot read", amqp: true, run: foreignHeaders},
	{name: "byte for byte", run: func(t *testing.T, in *harness.Installation) {
		c := open(t, in, 0, harness.TokenAdmin)
		g := group()
		c.join(g)
		for _, payload := range []string{
			`{"group_name":"job_events"}`,
			"  {\n\t\"spaced\" : 1 }\r\n",
			`{"a": 1.0, "a": 2e+05, "unicode": "\u00e9é\ud83d\ude00😀"}`,
			`{"html": "<b>&amp;</b>", "slash": "\/"}`,
			`12345678901234567890`,
			`"` + strings.Repeat("x", 125) + `"`,
			`"` + strings.Repeat("y", 65536) + `"`,
		} {
			in.Emit(t, g, payload)
			c.expect(payload)
		}
	}},
	{name: "payloads of exactly 256 KiB and 1 MiB", run: func(t *testing.T, in *harness.Installation) {
		c := open(t, in, 0, harness.TokenAdmin)
		g := group()
		c.join(g)
		for _, size := range []int{256 << 10, 1 << 20} {
			in.Emit(t, g, sized(size))
			c.expect(sized(size))
		}
	}},
	{name: "a slow reader gets what comes behind the largest event", run: behindTheLargest},
	{name: "every connection of the group, each once, nobody else", run: func(t *testing.T, in *harness.Installation) {
		mine, other := group(), group()
		var watching []*client
		for i := range 6 {
			c := open(t, in, i, harness.TokenAdmin)
			c.join(mine)
			watching = append(watching, c)
		}
		stranger := open(t, in, 0, harness.TokenAdmin)
		stranger.join(other)
		e := event()
		in.Emit(t, mine, e)
		for _, c := range watching {
			c.expect(e)
		}
		for _, c := range append(watching, stranger) {
			c.quiet()
		}
	}},
	{name: "in the order of the publisher", run: func(t *testing.T, in *harness.Installation) {
		c := open(t, in, 0, harness.TokenAdmin)
		g := group()
		c.join(g)
		for i := range 300 {
			in.Emit(t, g, fmt.Sprintf(`{"counter": %d}`, i))
		}
		for i := range 300 {
			c.expect(fmt.Sprintf(`{"counter": %d}`, i))
		}
	}},
	{name: "not after the connection has gone", run: func(t *testing.T, in *harness.Installation) {
		c := open(t, in, 0, harness.TokenAdmin)
		g := group()
		c.join(g)
		c.conn.Drop()
		in.Emit(t, g, event())
		fresh := open(t, in, 0, harness.TokenAdmin)
		fresh.join(g)
		e := event()
		in.Emit(t, g, e)
		fresh.expect(e)
	}},
	{name: "AMQP: a plain publish to belfry.emit, key = group", amqp: true, run: func(t *testing.T, in *harness.Installation) {
		c := open(t, in, 0, harness.TokenAdmin)
		g, e := group(), event()
		c.join(g)
		in.Publish(t, harness.Plain{Group: g, Payload: e})
		c.expect(e)
	}},
	{name: "AMQP: pika reaches the right two of three browsers", amqp: true, run: pika},
}

// sized is a payload of so many bytes.
func sized(bytes int) string { return `"` + strings.Repeat("z", bytes-2) + `"` }

// behindTheLargest lets an event, an answer and a pong wait behind the largest
// event for a client that does not read yet.
func behindTheLargest(t *testing.T, in *harness.Installation) {
	slow, healthy := open(t, in, 0, harness.TokenAdmin), open(t, in, 0, harness.TokenAdmin)
	if err := slow.conn.Narrow(64 << 10); err != nil {
		t.Fatal(err)
	}
	g, small, last := group(), event(), event()
	slow.join(g)
	healthy.join(g)
	in.Emit(t, g, sized(1<<20))
	in.Emit(t, g, small)
	healthy.expect(sized(1 << 20))
	healthy.expect(small) // so both have been put into the slow one's outbox, too
	if err := slow.conn.Send(frame(wsclient.OpPing, "behind")); err != nil {
		t.Fatal(err)
	}
	slow.send(message(g))
	healthy.ask(message(g), reply([]string{g}, nil, nil))
	in.Emit(t, g, last)
	healthy.expect(last)
	slow.expect(sized(1 << 20))
	slow.expect(small)
	want := []string{reply([]string{g}, nil, nil), last}
	got := []string{slow.next(), slow.next()} // no order between them is promised
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func pika(t *testing.T, in *harness.Installation) {
	first, second, third := open(t, in, 0, harness.TokenAdmin), open(t, in, 1, harness.TokenAdmin), open(t, in, 0, harness.TokenAdmin)
	g := group()
	first.join(g)
	second.join(g)
	third.join(group())
	payload := "{\"group_name\": \"job_events\",\t\"from\": \"pïka\"}"
	in.Pika(t, g, payload)
	first.expect(payload)
	second.expect(payload)
	third.quiet()
}

// closing are the rows of the section "Closing".
var closing = []row{
	{name: "bad frames", run: badFrames},
	{name: "good frames", run: goodFrames},
	{name: "ping is answered with its payload", run: func(t *testing.T, in *harness.Installation) {
		c := open(t, in, 0, harness.TokenAdmin)
		if err := c.conn.Send(wsclient.Frame{Fin: true, Opcode: wsclient.OpPing, Masked: true, Payload: []byte("are you there")}); err != nil {
			t.Fatal(err)
		}
		f, err := c.conn.ReadFrame(patience)
		if err != nil || f.Opcode != wsclient.OpPong || string(f.Payload) != "are you there" {
			t.Fatalf("got %+v, %v", f, err)
		}
	}},
	{name: "4401 when the token expires", run: beside(expiry)},
	{name: "4408 a reader that is too slow", run: slowReader},
	{name: "a half header, then silence, disturbs nobody", run: func(t *testing.T, in *harness.Installation) {
		hostile, healthy := open(t, in, 0, harness.TokenAdmin), open(t, in, 0, harness.TokenAdmin)
		g, e := group(), event()
		healthy.join(g)
		if err := hostile.conn.SendBytes([]byte{0x81}); err != nil {
			t.Fatal(err)
		}
		in.Emit(t, g, e)
		healthy.expect(e)
	}},
}

// slowReader reads nothing while events come, until the gateway gives it up. A
// healthy connection of the same group gets every event.
func slowReader(t *testing.T, in *harness.Installation) {
	slow, healthy := open(t, in, 0, harness.TokenAdmin), open(t, in, 0, harness.TokenAdmin)
	g := group()
	slow.join(g)
	healthy.join(g)
	payload := `"` + strings.Repeat("s", 60<<10) + `"`
	emit := func() {
		in.Emit(t, g, payload)
		healthy.expect(payload)
	}
	// 18 MiB are more than kernel buffers hold.
	for before, i := stuck(t, in), 0; stuck(t, in) <= before; i++ {
		if i == 300 {
			t.Fatalf("%d events of %d bytes were written to a reader that reads nothing", i, len(payload))
		}
		emit()
	}
	// A few more than the outbox holds. The reader reads again as soon as it is given
	// up: the gateway waits no longer than five seconds to tell it.
	for range outbox/len(payload) + 3 {
		emit()
	}
	slow.expectClose(4408)
}

// outbox is BELFRY_OUTBOX_BYTES, as it is by default.
const outbox = 3 << 19

// stuck is how many connections' sockets take nothing more.
func stuck(t *testing.T, in *harness.Installation) float64 {
	t.Helper()
	sum := 0.0
	for _, g := range in.Gateways {
		sum += g.Metric(t, "belfry_gateway_slow_connections")
	}
	return sum
}

// expiry outlives a token that is checked by whoever issued it.
func expiry(t *testing.T, in *harness.Installation) {
	if in.ByFileAlone() {
		t.Skip("not applicable: the tokens of a file do not expire")
	}
	healthy := open(t, in, 0, harness.TokenUser)
	token, expires := in.ShortToken(harness.TokenUser, 2*time.Second)
	c := open(t, in, 0, token)
	g, before, after := group(), event(), event()
	c.join(g)
	healthy.join(g)
	in.Emit(t, g, before)
	c.expect(before)
	healthy.expect(before)
	_, err := c.conn.Next(patience)
	if closed, ok := errors.AsType[*wsclient.CloseError](err); !ok || closed.Code != 4401 {
		t.Fatalf("got %v, want 4401", err)
	}
	if early := time.Until(expires); early > 0 {
		t.Errorf("it was closed %v before the token expired", early)
	}
	in.Emit(t, g, after)
	healthy.expect(after)
	again := accepted(t, in, wsclient.Request{Token: token})
	again.expect(`{"accept": false, "user": null}`)
	again.expectClose(4401)
}
