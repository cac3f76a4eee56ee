package blackbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"belfry/e2e/harness"
	"belfry/e2e/wsclient"
)

// patience is how long an answer may take on a busy machine. silence is how
// long nothing must come where nothing may come.
const (
	patience = 10 * time.Second
	silence  = 400 * time.Millisecond
)

// client is a browser that expects things.
type client struct {
	t    *testing.T
	conn *wsclient.Conn
}

// open connects to one of the gateways and reads the accept frame.
func open(t *testing.T, in *harness.Installation, gateway int, token string) *client {
	t.Helper()
	conn, answer, err := wsclient.Dial(t.Context(), in.Request(gateway, wsclient.Request{Token: token}))
	if err != nil {
		t.Fatal(err)
	}
	if conn == nil {
		t.Fatalf("the handshake was refused: %d %s", answer.Status, answer.Body)
	}
	t.Cleanup(conn.Drop)
	c := &client{t, conn}
	if first := c.next(); !strings.HasPrefix(first, `{"accept": true, "user": `) {
		t.Fatalf("the first frame is %s", first)
	}
	return c
}

func (c *client) next() string {
	c.t.Helper()
	text, err := c.conn.Next(patience)
	if err != nil {
		c.t.Fatalf("waiting for a frame: %v", err)
	}
	return text
}

func (c *client) expect(want string) {
	c.t.Helper()
	if got := c.next(); got != want {
		c.t.Fatalf("got  %.300s\nwant %.300s", got, want)
	}
}

func (c *client) send(text string) {
	c.t.Helper()
	if err := c.conn.Text(text); err != nil {
		c.t.Fatal(err)
	}
}

// ask sends a message and expects exactly this one answer.
func (c *client) ask(message, answer string) {
	c.t.Helper()
	c.send(message)
	c.expect(answer)
}

// quiet fails when a frame comes.
func (c *client) quiet() {
	c.t.Helper()
	text, err := c.conn.Next(silence)
	if !errors.Is(err, wsclient.ErrTimeout) {
		c.t.Fatalf("expected silence, got %.200q, %v", text, err)
	}
}

// closed reads until the close frame and returns its code and reason.
func (c *client) closed() (int, string) {
	c.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		_, err := c.conn.Next(time.Until(deadline))
		if err == nil {
			continue
		}
		closed, ok := errors.AsType[*wsclient.CloseError](err)
		if !ok {
			c.t.Fatalf("waiting for a close frame: %v", err)
		}
		return closed.Code, closed.Reason
	}
}

func (c *client) expectClose(code int) {
	c.t.Helper()
	got, reason := c.closed()
	if got != code {
		c.t.Fatalf("closed with %d %q, want %d", got, reason, code)
	}
	if len(reason) > 123 {
		c.t.Fatalf("the reason has %d bytes", len(reason))
	}
}

// join subscribes to exactly these groups and returns when they are active.
func (c *client) join(groups ...string) {
	c.t.Helper()
	c.send(message(groups...))
	text := c.next()
	var reply struct {
		Current []string `json:"groups_current"`
	}
	if err := json.Unmarshal([]byte(text), &reply); err != nil {
		c.t.Fatalf("the reply to a subscription is %s", text)
	}
	want := slices.Sorted(slices.Values(groups))
	if !slices.Equal(reply.Current, want) {
		c.t.Fatalf("subscribed to %v, the reply is %s", want, text)
	}
}

// message asks for the groups, items as strings.
func message(groups ...string) string {
	dictionary := map[string][]string{}
	for _, g := range groups {
		name, item, _ := strings.Cut(g, "-")
		dictionary[name] = append(dictionary[name], item)
	}
	b, _ := json.Marshal(map[string]any{"groups": dictionary})
	return string(b)
}

// reply is the answer to a change, as the protocol's description spells it.
func reply(current, left, joined []string) string {
	list := func(groups []string) string {
		quoted := make([]string, 0, len(groups))
		for _, g := range slices.Sorted(slices.Values(groups)) {
			b, _ := json.Marshal(g)
			quoted = append(quoted, string(b))
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	}
	return fmt.Sprintf(`{"groups_current": %s, "groups_left": %s, "groups_joined": %s}`, list(current), list(left), list(joined))
}

var lastID atomic.Int64

// id is a number that no other row uses as an item.
func id() int64 { return 1000 + lastID.Add(1) }

// group is a group that no other row uses.
func group() string { return fmt.Sprintf("job_events-%d", id()) }

// event is a payload that no other row emits.
func event() string { return fmt.Sprintf(`{"group_name": "job_events", "counter": %d}`, id()) }
