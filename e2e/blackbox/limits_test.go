package blackbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"belfry/e2e/harness"
	"belfry/e2e/wsclient"
)

// limited are rows about settings: each has a gateway of its own, the at-th.
var limited = []struct {
	name string
	env  []string
	run  func(t *testing.T, in *harness.Installation, at int)
	amqp bool // there must be a broker
}{
	{name: "connections of a user: 429", env: []string{"BELFRY_MAX_PER_USER=2"}, run: perUser},
	{name: "connections of an address: 429", env: []string{"BELFRY_MAX_PER_ADDRESS=2", "BELFRY_TRUSTED_PROXIES=127.0.0.1"}, run: perAddress},
	{name: "connections of the process: 503", env: []string{"BELFRY_MAX_CONNECTIONS=2"}, run: perProcess},
	{name: "handshakes a second: 503", env: []string{"BELFRY_HANDSHAKE_RATE=1", "BELFRY_TRUSTED_PROXIES=127.0.0.1"}, run: handshakeRate},
	{name: "messages a second: 4429", env: []string{"BELFRY_MESSAGE_RATE=1"}, run: messageRate},
	{name: "bytes of a message, groups of a connection", env: []string{"BELFRY_MAX_MESSAGE_BYTES=125", "BELFRY_MAX_GROUPS=2"}, run: messageSize},
	{name: "a Host that is not served: 421", env: []string{"BELFRY_ALLOWED_HOSTS=tower.example", "BELFRY_ALLOWED_ORIGINS=http://tower.example,http://evil.example"}, run: hosts},
	{name: "two missed pongs", env: []string{"BELFRY_PING_INTERVAL=1s"}, run: keepAlive},
	{name: "draining", env: []string{"BELFRY_DRAIN_NOTICE=4s"}, run: draining, amqp: true},
}

func TestLimitsEmbedded(t *testing.T) {
	for _, row := range limited {
		t.Run(row.name, func(t *testing.T) {
			if row.amqp {
				t.Skip("not applicable: events end with the process")
			}
			t.Parallel() // they wait for their processes to be ready
			row.run(t, harness.Start(t, harness.Shape{Embedded: true, Env: debug, GatewayEnv: row.env}), 0)
		})
	}
}

func TestLimits(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	in := harness.Start(t, harness.Shape{Gateways: 1, Workers: 1, Shards: 1, Env: debug})
	for i, row := range limited {
		in.AddGateway(t, fmt.Sprint("limited", i), row.env...)
	}
	in.WaitReady(t, 30*time.Second)
	for i, row := range limited {
		t.Run(row.name, func(t *testing.T) { row.run(t, in, 1+i) })
	}
	t.Run("a worker opens no port", func(t *testing.T) { noPort(t, in) })
}

// tooMany is refused, counted, and told when to come back: between five and ten
// seconds from now.
func tooMany(t *testing.T, in *harness.Installation, at int, r wsclient.Request, status int, outcome string) {
	t.Helper()
	series := `belfry_gateway_handshakes_total{outcome="` + outcome + `"}`
	before := in.Gateways[at].Metric(t, series)
	conn, answer, err := wsclient.Dial(t.Context(), in.Request(at, r))
	if err != nil || conn != nil {
		t.Fatalf("the handshake: connection %t, %v", conn != nil, err)
	}
	checkRetry(t, answer, status)
	if after := in.Gateways[at].Metric(t, series); after != before+1 {
		t.Errorf("%s went from %v to %v", series, before, after)
	}
}

func checkRetry(t *testing.T, answer *wsclient.Answer, status int) {
	t.Helper()
	var body struct {
		Error string `json:"error"`
	}
	seconds, err := strconv.Atoi(answer.Header.Get("Retry-After"))
	if answer.Status != status || err != nil || seconds < 5 || seconds > 10 {
		t.Errorf("HTTP %d, Retry-After %q; want %d and 5 to 10", answer.Status, answer.Header.Get("Retry-After"), status)
	}
	if err := json.Unmarshal([]byte(answer.Body), &body); err != nil || body.Error == "" {
		t.Errorf("the body is %q", answer.Body)
	}
}

// letIn waits until a place that was given back is free.
func letIn(t *testing.T, in *harness.Installation, at int, r wsclient.Request) {
	t.Helper()
	harness.Until(t, patience, "a place for another connection", func() bool {
		conn, _, err := wsclient.Dial(t.Context(), in.Request(at, r))
		if err != nil {
			t.Fatal(err)
		}
		if conn != nil {
			t.Cleanup(conn.Drop)
		}
		return conn != nil
	})
}

func perUser(t *testing.T, in *harness.Installation, at int) {
	first, second := open(t, in, at, harness.TokenAdmin), open(t, in, at, harness.TokenTower) // the same user
	tooMany(t, in, at, wsclient.Request{Token: harness.TokenAdmin}, 429, "limit_user")
	open(t, in, at, harness.TokenUser)
	second.ask(`{"groups": {}}`, reply(nil, nil, nil))
	first.conn.Drop()
	letIn(t, in, at, wsclient.Request{Token: harness.TokenTower})
	tooMany(t, in, at, wsclient.Request{Token: harness.TokenAdmin}, 429, "limit_user")
}

func perAddress(t *testing.T, in *harness.Installation, at int) {
	from := func(address, token string) wsclient.Request {
		return in.Request(at, wsclient.Request{Token: token, Header: []wsclient.Field{{Name: "X-Forwarded-For", Value: address}}})
	}
	var first *client
	for _, r := range []wsclient.Request{
		from("203.0.113.1", harness.TokenAdmin), from("203.0.113.1", harness.TokenUser),
		from("2001:db8:0:1::1", harness.TokenAdmin), from("2001:db8:0:1:ffff::1", harness.TokenUser),
	} {
		conn, answer, err := wsclient.Dial(t.Context(), r)
		if err != nil || conn == nil {
			t.Fatal(answer, err)
		}
		t.Cleanup(conn.Drop)
		if first == nil {
			first = &client{t, conn}
		}
	}
	tooMany(t, in, at, from("203.0.113.1", harness.TokenNamed), 429, "limit_address")
	tooMany(t, in, at, from("2001:db8:0:1:eeee::2", harness.TokenNamed), 429, "limit_address") // one network, one client
	letIn(t, in, at, from("203.0.113.2", harness.TokenNamed))
	first.conn.Drop()
	letIn(t, in, at, from("203.0.113.1", harness.TokenNamed))
}

func perProcess(t *testing.T, in *harness.Installation, at int) {
	first := open(t, in, at, harness.TokenAdmin)
	open(t, in, at, harness.TokenUser)
	tooMany(t, in, at, wsclient.Request{Token: harness.TokenNamed}, 503, "limit_process")
	first.conn.Drop()
	letIn(t, in, at, wsclient.Request{Token: harness.TokenNamed})
}

// handshakeRate opens more at once than two, which are allowed, and one for each
// second that it takes. Each comes from an address of its own: one address has less.
func handshakeRate(t *testing.T, in *harness.Installation, at int) {
	const attempts = 30
	begun := time.Now()
	answers := make(chan *wsclient.Answer, attempts)
	var accepted atomic.Int64
	for i := range attempts {
		go func() {
			from := wsclient.Field{Name: "X-Forwarded-For", Value: fmt.Sprint("203.0.113.", 1+i)}
			conn, answer, err := wsclient.Dial(t.Context(), in.Request(at, wsclient.Request{Token: harness.TokenAdmin, Header: []wsclient.Field{from}}))
			if conn != nil {
				accepted.Add(1)
				conn.Drop()
			}
			if err != nil {
				t.Error(err)
			}
			answers <- answer
		}()
	}
	for range attempts {
		if answer := <-answers; answer != nil && answer.Status != 101 {
			checkRetry(t, answer, 503)
		}
	}
	if most := 2 + int64(time.Since(begun)/time.Second) + 1; accepted.Load() < 2 || accepted.Load() > most {
		t.Errorf("%d were accepted, want 2 to %d", accepted.Load(), most)
	}
	letIn(t, in, at, wsclient.Request{Token: harness.TokenAdmin})
}

// messageRate sends as many messages as are allowed at once, and then more.
func messageRate(t *testing.T, in *harness.Installation, at int) {
	healthy, c := open(t, in, at, harness.TokenUser), open(t, in, at, harness.TokenAdmin)
	many := func(n int) []byte { return bytes.Repeat(frame(wsclient.OpText, `{"groups": {}}`).Bytes(), n) }
	if err := c.conn.SendBytes(many(5)); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		c.expect(reply(nil, nil, nil))
	}
	_ = c.conn.SendBytes(many(100))
	c.expectClose(4429)
	healthy.ask(`{"groups": {}}`, reply(nil, nil, nil))
}

func messageSize(t *testing.T, in *harness.Installation, at int) {
	healthy, c := open(t, in, at, harness.TokenUser), open(t, in, at, harness.TokenAdmin)
	c.ask(`{"groups": {"jobs": ["a", "b", "c"]}}`, `{"error": "more than 2 groups"}`)
	fits := `{"groups": {}, "x": "` + strings.Repeat("x", 125-23) + `"}`
	if len(fits) != 125 {
		t.Fatal("the test's message has", len(fits), "bytes")
	}
	c.ask(fits, reply(nil, nil, nil))
	c.send(fits + " ")
	c.expectClose(1009)
	healthy.ask(`{"groups": {}}`, reply(nil, nil, nil))
}

// hosts is about names that somebody has pointed at the gateway.
func hosts(t *testing.T, in *harness.Installation, at int) {
	for _, test := range []struct {
		host, origin string
		status       int
	}{
		{"tower.example", "http://tower.example", 101},
		{"tower.example:8051", "http://tower.example", 101},
		{"TOWER.example", "http://tower.example", 101},
		{"evil.example", "http://evil.example", 421}, // also where its origin is allowed
		{"evil.example", "", 421},
		{"tower.example.evil.example", "http://tower.example", 421},
		{"tower.example", "http://other.example", 403},
	} {
		r := wsclient.Request{Token: harness.TokenAdmin, Host: test.host}
		if test.origin != "" {
			r.Header = []wsclient.Field{{Name: "Origin", Value: test.origin}}
		}
		conn, answer, err := wsclient.Dial(t.Context(), in.Request(at, r))
		if err != nil {
			t.Fatal(err)
		}
		if conn != nil {
			conn.Drop()
		}
		if answer.Status != test.status {
			t.Errorf("Host %s with Origin %q: HTTP %d, want %d", test.host, test.origin, answer.Status, test.status)
		}
	}
}

// keepAlive has one client that answers pings and one that does not.
func keepAlive(t *testing.T, in *harness.Installation, at int) {
	healthy, c := open(t, in, at, harness.TokenAdmin), open(t, in, at, harness.TokenAdmin)
	for c.conn.Pings == 0 {
		if _, err := c.conn.Next(10 * time.Millisecond); !errors.Is(err, wsclient.ErrTimeout) {
			t.Fatalf("waiting for a ping: %v", err)
		}
	}
	c.conn.Mute = true // from here on it answers none
	answered := c.conn.Pings
	for {
		_, err := c.conn.Next(100 * time.Millisecond)
		if !errors.Is(err, wsclient.ErrTimeout) {
			if _, closed := errors.AsType[*wsclient.CloseError](err); closed || err == nil {
				t.Errorf("a client that is not there was sent a close frame: %v", err)
			}
			break
		}
		if _, err := healthy.conn.Next(time.Millisecond); !errors.Is(err, wsclient.ErrTimeout) {
			t.Fatalf("the client that answers was sent %v", err)
		}
	}
	if missed := c.conn.Pings - answered; missed < 2 {
		t.Errorf("it was dropped after %d missed pings", missed)
	}
	healthy.ask(`{"groups": {}}`, reply(nil, nil, nil))
}

// draining stops a gateway in good order: first it is not ready, while all goes
// on; then it takes nobody in and asks those who are here to leave.
func draining(t *testing.T, in *harness.Installation, at int) {
	p := in.Gateways[at]
	c, stays := open(t, in, at, harness.TokenAdmin), open(t, in, at, harness.TokenUser)
	g, e := group(), event()
	c.join(g)
	stays.join(g)
	p.Signal(syscall.SIGTERM)
	harness.Until(t, patience, "the gateway to say that it drains", func() bool {
		status, body, err := harness.Get(t.Context(), "http://"+p.Admin+"/health/ready")
		return err == nil && status == 503 && strings.Contains(body, "draining")
	})
	in.Emit(t, g, e)
	c.expect(e)
	stays.expect(e)
	if code, reason := c.closed(); code != 1001 || reason != "retry_after_ms=1000" {
		t.Errorf("closed with %d %q", code, reason)
	}
	// The other one does not answer its close frame, so the gateway is still there.
	conn, answer, err := wsclient.Dial(t.Context(), in.Request(at, wsclient.Request{Token: harness.TokenAdmin}))
	if err != nil || conn != nil {
		t.Fatalf("a handshake in the drain: connection %t, %v", conn != nil, err)
	}
	checkRetry(t, answer, 503)
	stays.expectClose(1001)
	stays.conn.Drop()
	c.conn.Drop()
	select {
	case <-p.Done():
		if p.ExitCode() != 0 {
			t.Errorf("it ended with status %d", p.ExitCode())
		}
	case <-time.After(30 * time.Second):
		t.Error("it does not end")
	}
}
