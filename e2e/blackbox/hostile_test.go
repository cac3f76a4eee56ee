package blackbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"belfry/e2e/harness"
	"belfry/e2e/wsclient"
)

// hostile are clients that want to do harm. Beside each of them a healthy
// connection gets its events.
var hostile = []row{
	{name: "items at their extremes are literal", run: extremes},
	{name: "a name of 65,536 bytes is 1009", run: beside(func(t *testing.T, in *harness.Installation) {
		c := open(t, in, 0, harness.TokenAdmin)
		_ = c.conn.Text(`{"groups": {"` + strings.Repeat("n", 65536) + `": ["a"]}}`) // nginx may hang up in the middle
		c.expectClose(1009)
	})},
	{name: "one byte over 64 KiB is 1009", run: beside(func(t *testing.T, in *harness.Installation) {
		c := open(t, in, 0, harness.TokenAdmin)
		fits := `{"groups": {}, "x": "` + strings.Repeat("a", 64<<10-23) + `"}`
		if len(fits) != 64<<10 {
			t.Fatal("the test's message has", len(fits), "bytes")
		}
		c.ask(fits, reply(nil, nil, nil))
		_ = c.conn.Text(fits + " ") // nginx may hang up in the middle
		c.expectClose(1009)
	})},
	{name: "1,000 messages at once are 4429", run: beside(func(t *testing.T, in *harness.Installation) {
		c := open(t, in, 0, harness.TokenAdmin)
		_ = c.conn.SendBytes(bytes.Repeat(frame(wsclient.OpText, `{"groups": {}}`).Bytes(), 1000))
		c.expectClose(4429)
	})},
	{name: "a flood of pings is 4429", run: beside(func(t *testing.T, in *harness.Installation) {
		c := open(t, in, 0, harness.TokenAdmin)
		_ = c.conn.SendBytes(bytes.Repeat(frame(wsclient.OpPing, "p").Bytes(), 10_000))
		c.expectClose(4429)
	})},
	{name: "a million empty continuations are 4429", run: beside(func(t *testing.T, in *harness.Installation) {
		c := open(t, in, 0, harness.TokenAdmin)
		first := with(frame(wsclient.OpText, "{"), func(f *wsclient.Frame) { f.Fin = false })
		empty := with(frame(wsclient.OpContinuation, ""), func(f *wsclient.Frame) { f.Fin = false })
		_ = c.conn.SendBytes(append(first, bytes.Repeat(empty, 1_000_000)...)) // the gateway hangs up in the middle
		c.expectClose(4429)
	})},
	{name: "what follows a close is not looked at", run: beside(func(t *testing.T, in *harness.Installation) {
		c := open(t, in, 0, harness.TokenAdmin)
		if err := c.conn.SendBytes(append(closeFrame(1000, ""), frame(wsclient.OpText, `{"groups": 5}`).Bytes()...)); err != nil {
			t.Fatal(err)
		}
		_, err := c.conn.Next(patience)
		if closed, ok := errors.AsType[*wsclient.CloseError](err); !ok || closed.Code != 1000 {
			t.Fatalf("got %v, want the close's answer and nothing before it", err)
		}
	})},
	{name: "a frame of 2^62 bytes, then silence, a thousand times", run: beside(announced)},
}

// beside runs a row with a healthy connection at its side.
func beside(run func(*testing.T, *harness.Installation)) func(*testing.T, *harness.Installation) {
	return func(t *testing.T, in *harness.Installation) {
		healthy := open(t, in, 0, harness.TokenUser)
		g, before, after := group(), event(), event()
		healthy.join(g)
		in.Emit(t, g, before)
		healthy.expect(before)
		run(t, in)
		in.Emit(t, g, after)
		healthy.expect(after)
	}
}

// extremes subscribes to items that other systems read as patterns, paths or
// rounded numbers; each is its own group and no other.
func extremes(t *testing.T, in *harness.Installation) {
	for _, x := range []struct{ item, group, other string }{
		{`-1`, `extreme--1`, `extreme-1`},
		{`9007199254740993`, `extreme-9007199254740993`, `extreme-9007199254740992`},
		{`123456789012345678901234567890`, `extreme-123456789012345678901234567890`, `extreme-123456789012345680000000000000`},
		{`"*"`, `extreme-*`, `extreme-7`},
		{`"#"`, `extreme-#`, `extreme-7`},
		{`"a.b"`, `extreme-a.b`, `extreme-a.c`},
		{`"a.*"`, `extreme-a.*`, `extreme-a.b`},
		{`"../x"`, `extreme-../x`, `x`},
		{`" "`, `extreme- `, `extreme`},
	} {
		t.Run(x.item, func(t *testing.T) {
			c := open(t, in, 0, harness.TokenAdmin)
			c.ask(`{"groups": {"extreme": [`+x.item+`]}}`, reply([]string{x.group}, nil, []string{x.group}))
			e := event()
			if _, _, ok := strings.Cut(x.other, "-"); ok {
				in.Emit(t, x.other, event())
			}
			in.Emit(t, x.group, e)
			c.expect(e)
		})
	}
}

// announced leaves nothing behind: goroutines and descriptors of the gateway
// are back at what they were.
func announced(t *testing.T, in *harness.Installation) {
	before := measure(t, in)
	const abreast = 100
	for range 1000 / abreast {
		clients := make([]*client, abreast)
		for i := range clients {
			clients[i] = open(t, in, 0, harness.TokenAdmin)
			if err := clients[i].conn.SendBytes([]byte{0x81, 0xFF, 0x40, 0, 0, 0, 0, 0, 0, 0}); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range clients {
			c.expectClose(1009)
			c.conn.Drop()
		}
	}
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		after := measure(t, in)
		// A few of either belong to the scrape itself and to links that come and go.
		if after.goroutines <= before.goroutines+10 && after.descriptors <= before.descriptors+10 {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("before: %+v; after: %+v", before, after)
		}
	}
}

type footprint struct{ goroutines, descriptors int }

var (
	goroutinesLine  = regexp.MustCompile(`(?m)^go_goroutines (\d+)`)
	descriptorsLine = regexp.MustCompile(`(?m)^process_open_fds (\d+)`)
)

// measure asks the first gateway's admin listener.
func measure(t *testing.T, in *harness.Installation) footprint {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	status, body, err := harness.Get(ctx, fmt.Sprintf("http://%s/metrics", in.Gateways[0].Admin))
	if err != nil || status != 200 {
		t.Fatalf("metrics: %d, %v", status, err)
	}
	number := func(line *regexp.Regexp) int {
		found := line.FindStringSubmatch(body)
		if found == nil {
			t.Fatalf("the metrics have no %s", line)
		}
		n, _ := strconv.Atoi(found[1])
		return n
	}
	return footprint{number(goroutinesLine), number(descriptorsLine)}
}
