package faults

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"belfry/e2e/harness"
	"belfry/e2e/load"
	"belfry/e2e/wsclient"
)

// TestBrokerKilled kills the broker's process and starts it again.
func TestBrokerKilled(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	broker := harness.OwnBroker(t)
	shape := pairs
	shape.Broker = broker
	in := harness.Start(t, shape)
	tr := start(t, in, in.LoadEmitter(t))
	tr.flow(3 * time.Second)
	broker.Kill9(t)
	tr.flow(2 * time.Second)
	broker.Restart(t)
	back := time.Now()
	tr.flow(20 * time.Second)
	tr.clean()
	tr.resumed("the broker back", back, 15*time.Second)
	tr.alive()
}

// TestBrokerAwayForLong leaves the broker away until the gateways give up: they
// close with 1013, little by little, and the clients come back when it does.
func TestBrokerAwayForLong(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	broker := harness.OwnBroker(t)
	shape := pairs
	shape.Broker = broker
	in := harness.Start(t, shape)
	tr := start(t, in, in.LoadEmitter(t))
	tr.flow(2 * time.Second)
	broker.Kill9(t)
	all := func(count func(*load.Client) int, least int) func() bool {
		return func() bool {
			for _, c := range tr.clients {
				if count(c) < least {
					return false
				}
			}
			return true
		}
	}
	harness.Until(t, 60*time.Second, "the gateways to give up", all((*load.Client).Ended, 1))
	unavailable(t, in)
	broker.Restart(t)
	back := time.Now()
	in.WaitReady(t, 30*time.Second)
	harness.Until(t, 30*time.Second, "the clients to come back", all((*load.Client).Connections, 2))
	tr.flow(3 * time.Second)
	tr.clean()
	tr.resumed("the broker back", back, 15*time.Second)
	tr.alive()
	var first, last time.Time
	for name, r := range tr.firsts() {
		if r.Code != 1013 || r.Gaps() == 0 {
			t.Errorf("the first connection of %s ended with %d after %d gap notices, want 1013 and one at least", name, r.Code, r.Gaps())
		}
		if first.IsZero() || r.Closed.Before(first) {
			first = r.Closed
		}
		if r.Closed.After(last) {
			last = r.Closed
		}
	}
	t.Logf("closed over %v", last.Sub(first))
	if spread := last.Sub(first); spread < 5*time.Second {
		t.Errorf("all were closed within %v: ten seconds were meant", spread)
	}
}

// TestBrokerAway leaves the broker away for as long as it takes until a change
// of the set is answered as unavailable, and new connections with 503.
func TestBrokerAway(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	broker := harness.OwnBroker(t)
	in := harness.Start(t, harness.Shape{Gateways: 1, Workers: 1, Shards: 1, Broker: broker})
	conn := dial(t, in, 0)
	expectFrame(t, conn, `{"accept": true, "user": 7}`)
	kept, more := "job_events-1", "job_events-2"
	say(t, conn, load.Subscription([]string{kept}))
	expectFrame(t, conn, `{"groups_current": ["job_events-1"], "groups_left": [], "groups_joined": ["job_events-1"]}`)

	broker.Kill9(t)
	asked := time.Now()
	say(t, conn, load.Subscription([]string{kept, more}))
	answer := nextBut(t, conn, `{"gap":`, 12*time.Second)
	if answer != `{"error": "subscriptions are unavailable, try again"}` {
		t.Errorf("a change without a broker is answered %s", answer)
	}
	if took := time.Since(asked); took > harness.Within(7*time.Second) {
		t.Errorf("the answer took %v, 5 s were promised", took)
	}
	unavailable(t, in)

	broker.Restart(t)
	in.WaitReady(t, 20*time.Second)
	if away := time.Since(asked); !harness.Full() && away > 25*time.Second {
		// A connection is kept for 30 s without a route. A busy machine does not start a
		// broker in that time; make verify does.
		t.Logf("the broker was away for %v, too long to judge what became of the connection", away)
		conn = dial(t, in, 0)
		expectFrame(t, conn, `{"accept": true, "user": 7}`)
		return
	}
	say(t, conn, load.Subscription([]string{kept, more}))
	answer = nextBut(t, conn, `{"gap":`, 12*time.Second)
	if answer != `{"groups_current": ["job_events-1", "job_events-2"], "groups_left": [], "groups_joined": ["job_events-2"]}` {
		t.Errorf("with the broker back the change is answered %s: the old set must have stayed", answer)
	}
	in.Emit(t, more, `{"after": 1}`)
	if got := nextBut(t, conn, `{"gap":`, 10*time.Second); got != `{"after": 1}` {
		t.Errorf("got %s", got)
	}
}

// TestNoWorker answers new connections with 503 within the 5 s that a worker has.
func TestNoWorker(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	in := harness.Start(t, harness.Shape{Gateways: 1, Workers: 1, Shards: 1})
	in.Workers[0].Kill9()
	unavailable(t, in)
	in.Workers[0].Restart(t)
	in.WaitReady(t, 20*time.Second)
	expectFrame(t, dial(t, in, 0), `{"accept": true, "user": 7}`)
}

// waitForExpiry returns when an emit that expires after half a second would have expired.
func waitForExpiry(t *testing.T) {
	t.Helper()
	timer := time.NewTimer(1500 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}

// TestNothingExpires publishes an emit with an expiration while no worker is there: the
// log keeps it, and it arrives, late and without a gap.
func TestNothingExpires(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	in := harness.Start(t, harness.Shape{Gateways: 1, Workers: 1, Shards: 1})
	conn := dial(t, in, 0)
	expectFrame(t, conn, `{"accept": true, "user": 7}`)
	say(t, conn, load.Subscription([]string{"job_events-1", "job_events-2"}))
	expectFrame(t, conn, `{"groups_current": ["job_events-1", "job_events-2"], "groups_left": [], "groups_joined": ["job_events-1", "job_events-2"]}`)
	in.Workers[0].Kill9()
	in.Publish(t, harness.Plain{Group: "job_events-1", Payload: `{"old": 1}`, ID: "old", Expiration: 500 * time.Millisecond})
	waitForExpiry(t)
	in.Workers[0].Restart(t)
	in.WaitReady(t, 20*time.Second)
	got, err := conn.Next(15 * time.Second)
	if err != nil || got != `{"old": 1}` {
		t.Fatalf("got %s, %v", got, err)
	}
	in.Emit(t, "job_events-2", `{"new": 1}`)
	expectFrame(t, conn, `{"new": 1}`)
}

// unavailable expects 503 with Retry-After.
func unavailable(t *testing.T, in *harness.Installation) {
	t.Helper()
	conn, answer, err := wsclient.Dial(t.Context(), wsclient.Request{Addr: in.Addr(0), Token: harness.TokenAdmin})
	if err != nil || conn != nil {
		t.Fatalf("the handshake: connection %v, %v", conn != nil, err)
	}
	if answer.Status != 503 || answer.Header.Get("Retry-After") == "" {
		t.Errorf("HTTP %d, Retry-After %q; want 503 and a value", answer.Status, answer.Header.Get("Retry-After"))
	}
}

func dial(t *testing.T, in *harness.Installation, gateway int) *wsclient.Conn {
	t.Helper()
	conn, answer, err := wsclient.Dial(t.Context(), wsclient.Request{Addr: in.Addr(gateway), Token: harness.TokenAdmin})
	if err != nil {
		t.Fatal(err)
	}
	if conn == nil {
		t.Fatalf("refused: %d %s", answer.Status, answer.Body)
	}
	t.Cleanup(conn.Drop)
	return conn
}

func say(t *testing.T, conn *wsclient.Conn, text string) {
	t.Helper()
	if err := conn.Text(text); err != nil {
		t.Fatal(err)
	}
}

func expectFrame(t *testing.T, conn *wsclient.Conn, want string) {
	t.Helper()
	if got, err := conn.Next(10 * time.Second); err != nil || got != want {
		t.Fatalf("got  %s, %v\nwant %s", got, err, want)
	}
}

// nextBut reads the next frame that does not start like this.
func nextBut(t *testing.T, conn *wsclient.Conn, prefix string, within time.Duration) string {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		text, err := conn.Next(time.Until(deadline))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(text, prefix) {
			return text
		}
	}
}

// TestBrokerResources compares what the broker holds for 10 and for a thousand
// (Full: 5,000) clients with a group each.
func TestBrokerResources(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	broker := harness.OwnBroker(t)
	shape := harness.Shape{Gateways: 1, Workers: 1, Shards: 1, Broker: broker, GatewayEnv: harness.Unlimited()}
	in := harness.Start(t, shape)
	subscribe := func(from, to int) {
		for i := from; i < to; i++ {
			conn := dial(t, in, 0)
			expectFrame(t, conn, `{"accept": true, "user": 7}`)
			g := fmt.Sprintf("job_events-%d", i+1)
			say(t, conn, load.Subscription([]string{g}))
			expectFrame(t, conn, fmt.Sprintf(`{"groups_current": [%q], "groups_left": [], "groups_joined": [%q]}`, g, g))
		}
	}
	subscribe(0, 10)
	few := broker.Resources(t)
	most := 1000
	if harness.Full() {
		most = 5000
	}
	subscribe(10, most)
	var many harness.Resources
	harness.Until(t, 20*time.Second, "the broker to hold no more for many clients than for ten", func() bool {
		many = broker.Resources(t) // a channel that looks after the topology comes and goes
		return many == few
	})
	t.Logf("10 clients and groups: %v; %d: %v", few, most, many)
}
