package connection

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"belfry/pkg/protocol"
)

func TestMessageReplacesTheSet(t *testing.T) {
	r := begin(t, Options{}, seven)
	r.send(`{"groups": {"jobs": ["summary"], "job_events": [1, 2]}}`)
	r.expect(`{"groups_current": ["job_events-1", "job_events-2", "jobs-summary"], "groups_left": [], "groups_joined": ["job_events-1", "job_events-2", "jobs-summary"]}`)
	r.send(`{"groups": {"job_events": [2, 3]}}`)
	r.expect(`{"groups_current": ["job_events-2", "job_events-3"], "groups_left": ["job_events-1", "jobs-summary"], "groups_joined": ["job_events-3"]}`)
	r.holds("job_events-2", "job_events-3")
	r.send(`{"groups": {}}`)
	r.expect(`{"groups_current": [], "groups_left": ["job_events-2", "job_events-3"], "groups_joined": []}`)
	_ = r.ws.Close(1000, "")
	r.over()
	r.holds()
	if r.hub.Len() != 0 {
		t.Errorf("left behind: %d connections", r.hub.Len())
	}
	want := []protocol.LifeKind{protocol.LifeOpened, protocol.LifeSubscribed, protocol.LifeSubscribed, protocol.LifeSubscribed, protocol.LifeClosed}
	if got := r.wires.kinds(); !slices.Equal(got, want) {
		t.Errorf("reported %v", got)
	}
}

// TestAnswerComesAfterTheRoute: events of a group are routed before the
// client is told that it has it.
func TestAnswerComesAfterTheRoute(t *testing.T) {
	r := begin(t, Options{}, seven)
	routed := make(chan struct{})
	joining := make(chan struct{})
	r.wires.join = func(context.Context, []protocol.Group) error {
		close(joining)
		<-routed
		return nil
	}
	r.send(`{"groups": {"jobs": ["summary"]}}`)
	<-joining
	if n := r.hub.Members("jobs-summary"); n != 0 {
		t.Errorf("%d members before the route", n)
	}
	close(routed)
	r.expect(`{"groups_current": ["jobs-summary"], "groups_left": [], "groups_joined": ["jobs-summary"]}`)
	r.hub.Deliver([]protocol.Event{{Group: "jobs-summary", Payload: []byte(`{"a":  1}`)}})
	r.expect(`{"a":  1}`)
}

// TestOneQuestionAtATime: the second message waits for the first one's answer.
func TestOneQuestionAtATime(t *testing.T) {
	r := begin(t, Options{}, seven)
	release := make(chan struct{})
	r.wires.authorize = func(groups []protocol.Group) (protocol.Decision, error) {
		<-release
		return everything(groups)
	}
	r.send(`{"groups": {"a": ["1"]}}`, `{"groups": {"a": ["2"]}}`, `{"groups": {"a": ["3"]}}`)
	<-r.wires.asked
	select {
	case g := <-r.wires.asked:
		t.Fatalf("asked for %v before the first answer", g)
	default:
	}
	close(release)
	r.expect(
		`{"groups_current": ["a-1"], "groups_left": [], "groups_joined": ["a-1"]}`,
		`{"groups_current": ["a-2"], "groups_left": ["a-1"], "groups_joined": ["a-2"]}`,
		`{"groups_current": ["a-3"], "groups_left": ["a-2"], "groups_joined": ["a-3"]}`,
	)
}

func TestOtherGroupsAreDenied(t *testing.T) {
	r := begin(t, Options{}, seven)
	r.wires.authorize = func(groups []protocol.Group) (protocol.Decision, error) {
		return protocol.Decision{Verdict: protocol.VerdictAccept, Allowed: []protocol.Group{"job_events-1", "never-asked"}}, nil
	}
	r.send(`{"groups": {"job_events": [1, 2]}}`)
	r.expect(
		`{"error": "access denied to channel job_events for resource id 2"}`,
		`{"groups_current": ["job_events-1"], "groups_left": [], "groups_joined": ["job_events-1"]}`,
	)
	if r.hub.Members("never-asked") != 0 {
		t.Error("a group that nobody asked for was joined")
	}
}

func TestNothingChangesWithoutAnAnswer(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(w *wires)
	}{
		{"nobody decides", func(w *wires) {
			w.authorize = func([]protocol.Group) (protocol.Decision, error) { return protocol.Decision{}, errors.New("away") }
		}},
		{"the worker cannot say", func(w *wires) {
			w.authorize = func([]protocol.Group) (protocol.Decision, error) {
				return protocol.Decision{Verdict: protocol.VerdictUnavailable}, nil
			}
		}},
		{"no route", func(w *wires) {
			w.join = func(context.Context, []protocol.Group) error { return errors.New("full") }
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := begin(t, Options{}, seven)
			r.send(`{"groups": {"a": ["1"]}}`)
			r.expect(`{"groups_current": ["a-1"], "groups_left": [], "groups_joined": ["a-1"]}`)
			c.spoil(r.wires)
			r.send(`{"groups": {"a": ["2"]}}`)
			r.expect(string(protocol.ErrorFrame(protocol.Unavailable)))
			if got := r.wires.held(); !slices.Equal(got, []protocol.Group{"a-1"}) || r.hub.Members("a-1") != 1 {
				t.Errorf("references to %v, %d members", got, r.hub.Members("a-1"))
			}
		})
	}
}

func TestTokenExpires(t *testing.T) {
	d := seven
	d.Expires = time.Now().Add(50 * time.Millisecond).UnixMilli()
	begin(t, Options{}, d).expectClose(4401)
}

func TestRefusedIdentityCloses(t *testing.T) {
	r := begin(t, Options{}, seven)
	r.wires.authorize = func([]protocol.Group) (protocol.Decision, error) {
		return protocol.Decision{Verdict: protocol.VerdictRefuse}, nil
	}
	r.send(`{"groups": {"a": ["1"]}}`)
	r.expectClose(4401)
}

func TestLimits(t *testing.T) {
	for _, c := range []struct {
		name    string
		options Options
		send    func(r *rig)
	}{
		{"messages", Options{MessageRate: 0.001, MessageBurst: 3}, func(r *rig) {
			for range 4 {
				r.send(`{"groups": {}}`)
			}
		}},
		{"invalid messages", Options{InvalidMessages: 2}, func(r *rig) { r.send(`{`, `[]`, `{"groups": 5}`) }},
		{"bytes that wait", Options{MailboxBytes: 100}, func(r *rig) {
			release := make(chan struct{})
			r.Cleanup(func() { close(release) })
			r.wires.authorize = func(groups []protocol.Group) (protocol.Decision, error) {
				<-release
				return everything(groups)
			}
			r.send(`{"groups": {"a": ["1"]}}`)
			<-r.wires.asked
			for i := range 3 {
				r.send(fmt.Sprintf(`{"groups": {"%s": ["%d"]}}`, strings.Repeat("a", 50), i))
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := begin(t, c.options, seven)
			c.send(r)
			r.expectClose(4429)
		})
	}
}

// TestPanicEndsOneConnection: that of the one beside goes on, and nothing is
// left behind.
func TestPanicEndsOneConnection(t *testing.T) {
	r := begin(t, Options{}, seven)
	beside := r.another()
	r.wires.authorize = func(groups []protocol.Group) (protocol.Decision, error) {
		if groups[0] == "a-2" {
			panic("a fault")
		}
		return everything(groups)
	}
	for _, one := range []*rig{r, beside} {
		one.send(`{"groups": {"a": ["1"]}}`)
		one.expect(`{"groups_current": ["a-1"], "groups_left": [], "groups_joined": ["a-1"]}`)
	}
	r.send(`{"groups": {"a": ["2"]}}`)
	r.expectClose(1011)
	r.over()
	if r.hub.Len() != 1 || r.hub.Members("a-1") != 1 {
		t.Errorf("%d connections, %d of them in the group", r.hub.Len(), r.hub.Members("a-1"))
	}
	r.hub.Deliver([]protocol.Event{{Group: "a-1", Payload: []byte(`1`)}})
	beside.send(`{"groups": {"b": ["1"]}}`)
	beside.expect("1", `{"groups_current": ["b-1"], "groups_left": ["a-1"], "groups_joined": ["b-1"]}`)
	_ = beside.ws.CloseNow()
	beside.over()
	r.holds()
	if r.hub.Len() != 0 {
		t.Error("something is left behind")
	}
}

// TestClientGoesWhileJoining: the references are given back.
func TestClientGoesWhileJoining(t *testing.T) {
	r := begin(t, Options{}, seven)
	joining, routed := make(chan struct{}), make(chan struct{})
	r.wires.join = func(context.Context, []protocol.Group) error {
		close(joining)
		<-routed
		return nil
	}
	r.send(`{"groups": {"a": ["1"]}}`)
	<-joining
	_ = r.ws.CloseNow()
	r.over()
	close(routed)
	deadline := time.Now().Add(patience)
	for len(r.wires.held()) > 0 || !slices.Equal(r.wires.kinds(), []protocol.LifeKind{protocol.LifeOpened, protocol.LifeClosed}) {
		if time.Now().After(deadline) {
			t.Fatalf("references to %v, reports %v", r.wires.held(), r.wires.kinds())
		}
		<-time.After(time.Millisecond)
	}
}

// TestAnswerTimeoutStartsAtArrival: a client with a route that hangs does
// not wait longer for each message that it has sent meanwhile.
func TestAnswerTimeoutStartsAtArrival(t *testing.T) {
	const timeout = 2 * time.Second // half of it is for a machine that is busy
	r := begin(t, Options{AnswerTimeout: timeout}, seven)
	due := make(chan time.Time, 3)
	r.wires.join = func(ctx context.Context, _ []protocol.Group) error {
		at, _ := ctx.Deadline()
		due <- at
		<-ctx.Done()
		return ctx.Err()
	}
	sent := time.Now()
	r.send(`{"groups": {"a": [1]}}`, `{"groups": {"a": [2]}}`, `{"groups": {"a": [3]}}`)
	arrived := time.Since(sent)
	for range 3 {
		r.expect(`{"error": "subscriptions are unavailable, try again"}`)
	}
	if first, last := <-due, lastOf(due); last.Sub(first) > arrived+timeout/2 {
		t.Errorf("the third answer was due %v after the first, the messages came within %v", last.Sub(first), arrived)
	}
}

// lastOf empties a channel.
func lastOf(c <-chan time.Time) (last time.Time) {
	for {
		select {
		case last = <-c:
		default:
			return last
		}
	}
}
