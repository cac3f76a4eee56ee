package decisions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
	"belfry/services/worker/auth"
	"belfry/services/worker/internal/access"
)

func TestDecisionsAboutTokens(t *testing.T) {
	play(t, func(t *testing.T, r *rig) {
		now := time.Now()
		identities := map[string]auth.Identity{
			"good":      {User: json.RawMessage(`7`), Groups: []string{"a-*"}, Expires: now.Add(time.Hour), Fingerprint: "f"},
			"forever":   {User: json.RawMessage(`"ann"`)},
			"over":      {User: json.RawMessage(`7`), Expires: now},
			"star":      {User: json.RawMessage(`"*"`)},
			"no user":   {},
			"two users": {User: json.RawMessage(`7 8`)},
		}
		r.start(Options{Authenticator: authenticate(func(_ context.Context, token protocol.Token) (auth.Identity, error) {
			id, found := identities[token.Reveal()]
			switch {
			case token.Reveal() == "away":
				return auth.Identity{}, errors.New("the server does not answer")
			case !found:
				return auth.Identity{}, fmt.Errorf("%w: it is not known", auth.ErrRefused)
			}
			return id, nil
		})})
		rows := []struct {
			token, want string
		}{
			{"good", "accept 7 " + fmt.Sprint(now.Add(time.Hour).UnixMilli())},
			{"forever", `accept "ann" 0`},
			{"over", "refuse  0"},
			{"star", "refuse  0"},
			{"no user", "refuse  0"},
			{"two users", "refuse  0"},
			{"unknown", "refuse  0"},
			{"", "refuse  0"},
			{"away", "unavailable  0"},
		}
		for i, row := range rows {
			r.connect(protocol.QuestionID(i+1), row.token)
		}
		got := r.decisions()
		for i, row := range rows {
			d := got[protocol.QuestionID(i+1)]
			if said := fmt.Sprintf("%s %s %d", d.Verdict, d.User, d.Expires); said != row.want {
				t.Errorf("token %q: got %s (%s), want %s", row.token, said, d.Reason, row.want)
			}
			if (d.Identity != nil) != (d.Verdict == protocol.VerdictAccept) {
				t.Errorf("token %q: %s with identity %s", row.token, d.Verdict, d.Identity)
			}
		}
	})
}

// TestIdentityIsSentBack: the identity is sent with the accepting decision and comes back
// with the next question, so that no worker has to remember anything.
func TestIdentityIsSentBack(t *testing.T) {
	play(t, func(t *testing.T, r *rig) {
		id := auth.Identity{
			User: json.RawMessage(`"ann"`), Groups: []string{"a-*", "b-1"},
			Expires: time.Now().Add(30 * time.Second).Truncate(time.Millisecond).UTC(), Fingerprint: "f",
		}
		var asked auth.Identity
		o := Options{
			Authenticator: authenticate(func(context.Context, protocol.Token) (auth.Identity, error) { return id, nil }),
			Authorizer: authorize(func(_ context.Context, id auth.Identity, groups []protocol.Group) (access.Result, error) {
				asked = id
				return access.Result{Denied: groups}, nil
			}),
		}
		first := r.start(o)
		r.connect(1, secret)
		identity := r.decisions()[1].Identity
		if strings.Contains(string(identity), secret) {
			t.Errorf("the identity holds the token: %s", identity)
		}
		r.stop(first)
		r.start(o)
		question := protocol.Subscribe{Gateway: gatewayID, Conn: 1, Question: 2, Identity: identity, Groups: []protocol.Group{"a-1"}}
		r.ask(protocol.TypeSubscribe, protocol.Encode(question))
		if d := r.decisions()[2]; d.Verdict != protocol.VerdictAccept || len(d.Allowed) != 0 || d.Worker != "worker.2" {
			t.Errorf("got %+v", d)
		}
		if fmt.Sprint(asked) != fmt.Sprint(id) {
			t.Errorf("asked as %v, want %v", asked, id)
		}
		pass(30 * time.Second)
		question.Question = 3
		r.ask(protocol.TypeSubscribe, protocol.Encode(question))
		if d := r.decisions()[3]; d.Verdict != protocol.VerdictRefuse {
			t.Errorf("after the token's end: got %+v", d)
		}
	})
}

func TestInvalidSubscribesAreRefused(t *testing.T) {
	play(t, func(t *testing.T, r *rig) {
		r.start(Options{Authorizer: authorize(func(_ context.Context, id auth.Identity, _ []protocol.Group) (access.Result, error) {
			if string(id.User) == "8" {
				return access.Result{}, errors.New("the application does not answer")
			}
			t.Errorf("asked about user %s", id.User)
			return access.Result{}, nil
		})})
		for i, session := range []string{`null`, `{}`, `"7"`, `{"user": {`} {
			body := fmt.Sprintf(`{"gateway": %q, "conn": 1, "question": %d, "session": %s, "groups": ["a-1"]}`, gatewayID, i+1, session)
			r.ask(protocol.TypeSubscribe, []byte(body))
		}
		r.subscribe(11, "7", "a-1", "no dash")
		r.subscribe(12, "7", "a-\x00")
		r.subscribe(13, "8", "a-1")
		got := r.decisions()
		for q, want := range map[protocol.QuestionID]protocol.Verdict{
			1: protocol.VerdictRefuse, 2: protocol.VerdictRefuse, 3: protocol.VerdictRefuse, 4: "", // no JSON: parked
			11: protocol.VerdictRefuse, 12: protocol.VerdictRefuse, 13: protocol.VerdictUnavailable,
		} {
			if got[q].Verdict != want {
				t.Errorf("question %d: got %q (%s), want %q", q, got[q].Verdict, got[q].Reason, want)
			}
		}
	})
}

// TestParked: messages from others than gateways, and messages that cannot be decoded, are
// parked with the reason and without the body.
func TestParked(t *testing.T) {
	play(t, func(t *testing.T, r *rig) {
		r.start(Options{Authenticator: authenticate(func(ctx context.Context, token protocol.Token) (auth.Identity, error) {
			if token.Reveal() != "good" {
				t.Error("somebody who is no gateway had a token checked")
			}
			return everybody(ctx, token)
		})})
		backend := r.broker.Open("backend")
		defer func() { _ = backend.Close(context.Background()) }()
		foreign, err := backend.OpenPublisher(t.Context(), 10)
		r.must(err)
		good := protocol.Connect{Gateway: gatewayID, Conn: 1, Question: 1, Token: protocol.NewToken(secret)}
		r.askAs(foreign, protocol.TypeConnect, good.Encode())
		r.askAs(foreign, protocol.TypeLife, protocol.Encode(protocol.Life{Gateway: gatewayID, Batch: 1}))
		r.ask(protocol.TypeConnect, []byte(`{"token": "`+secret+`"`))
		r.ask(protocol.TypeConnect, []byte(`{"token": "`+secret+`"}`))
		r.ask(protocol.TypeSubscribe, []byte(`{"groups": ["a-1"]}`))
		r.ask(protocol.TypeLife, []byte(`{"batch": 1}`))
		r.ask("no such type", []byte(secret))
		r.connect(99, "good")
		if got := r.decisions(); len(got) != 1 || got[99].Verdict != protocol.VerdictAccept {
			t.Errorf("answered: %v", got)
		}
		reasons := map[string]int{}
		for _, d := range r.drain(amqpbus.QueueDead) {
			reasons[d.Headers["reason"]]++
			if len(d.Body) != 0 || strings.Contains(fmt.Sprintf("%+v", d), secret) {
				t.Errorf("parked with its body: %+v", d)
			}
		}
		if want := "map[session: decode:4 session: unknown:1 session: user:2]"; fmt.Sprint(reasons) != want {
			t.Errorf("parked: %v, want %s", reasons, want)
		}
		if n := testutil.ToFloat64(r.metrics.parked.WithLabelValues(parkedUser)); n != 2 {
			t.Errorf("%v of foreign users were counted", n)
		}
		if left := r.drain(amqpbus.QueueQuestions); len(left) != 0 {
			t.Errorf("%d messages were not acked", len(left))
		}
	})
}

// TestTokenIsNeverShown: whatever happens to its question, a token is in no log line, no
// answer, no parked message and no life report.
func TestTokenIsNeverShown(t *testing.T) {
	play(t, func(t *testing.T, r *rig) {
		step := 0
		w := r.start(Options{Authenticator: authenticate(func(ctx context.Context, token protocol.Token) (auth.Identity, error) {
			step++
			switch step {
			case 1:
				return everybody(ctx, token)
			case 2:
				return auth.Identity{}, fmt.Errorf("%w: %v", auth.ErrRefused, token)
			case 3:
				return auth.Identity{}, fmt.Errorf("no answer about %+v", struct{ t protocol.Token }{token})
			case 4:
				panic(token.Reveal())
			}
			panic(errors.New(token.Reveal()))
		})})
		for q := range protocol.QuestionID(5) {
			r.connect(q+1, secret)
			pass(0)
		}
		r.ask(protocol.TypeLife, protocol.Encode(protocol.Life{Gateway: gatewayID, Batch: 1, Reports: []protocol.LifeReport{
			{ID: "r1", Kind: protocol.LifeOpened, Gateway: gatewayID, User: json.RawMessage("7")},
		}}))
		r.broker.CutBus(w.bus)
		pass(time.Second)
		replies := r.drain(amqpbus.ReplyQueue(string(gatewayID)))
		if len(replies) < 6 {
			t.Errorf("%d replies, want 5 decisions and a note", len(replies))
		}
		for _, d := range append(replies, r.drain(amqpbus.QueueDead)...) {
			if text := fmt.Sprintf("%+v %s", d, d.Body); strings.Contains(text, secret) {
				t.Errorf("the token is published: %s", text)
			}
		}
		r.noSecret()
	})
}
