package decisions

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/membus"
	"belfry/pkg/amqpbus/trust"
	"belfry/pkg/protocol"
	"belfry/services/worker/auth"
	"belfry/services/worker/internal/access"
	"belfry/services/worker/internal/confirm"
	"belfry/services/worker/internal/life"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const gatewayID protocol.GatewayID = "gateway.test"

const secret = "tOkEn-that-nobody-may-see"

// authenticate and authorize are functions of a test that stand for packages auth and
// access.
type (
	authenticate func(ctx context.Context, token protocol.Token) (auth.Identity, error)
	authorize    func(ctx context.Context, id auth.Identity, groups []protocol.Group) (access.Result, error)
)

func (f authenticate) Authenticate(ctx context.Context, token protocol.Token, _ string) (auth.Identity, error) {
	return f(ctx, token)
}

func (f authorize) Authorize(ctx context.Context, id auth.Identity, groups []protocol.Group) (access.Result, error) {
	return f(ctx, id, groups)
}

// everybody accepts every token as user 7's.
func everybody(context.Context, protocol.Token) (auth.Identity, error) {
	return auth.Identity{User: json.RawMessage("7"), Fingerprint: "f7"}, nil
}

func everything(_ context.Context, _ auth.Identity, groups []protocol.Group) (access.Result, error) {
	return access.Result{Allowed: groups}, nil
}

// rig is a broker in memory, a gateway played by the test, and workers. It runs in a synctest
// bubble, so its time is virtual.
type rig struct {
	t       *testing.T
	broker  *membus.Broker
	gateway amqpbus.Bus
	pub     amqpbus.Publisher
	logs    *observer.ObservedLogs
	log     *zap.Logger
	metrics *Metrics
	workers []*worker
}

type worker struct {
	bus    amqpbus.Bus
	out    *confirm.Publisher
	server *Server
}

// play runs a test in a bubble. It starts no worker.
func play(t *testing.T, test func(t *testing.T, r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.DebugLevel)
		r := &rig{t: t, broker: membus.New(), logs: logs, log: zap.New(core), metrics: NewMetrics(nil)}
		r.gateway = r.broker.Open("gateway")
		r.must(r.gateway.Declare(t.Context(), amqpbus.SharedTopology(amqpbus.Layout{Shards: 1})))
		r.must(r.gateway.Declare(t.Context(), amqpbus.ReplyTopology(amqpbus.Layout{Shards: 1}, gatewayID)))
		var err error
		r.pub, err = r.gateway.OpenPublisher(t.Context(), 1000)
		r.must(err)
		defer func() { // also after a Fatal: goroutines that still ran would hide its text
			for _, w := range r.workers {
				r.stop(w)
			}
			_ = r.gateway.Close(context.Background())
		}()
		test(t, r)
	})
}

// start starts a worker. o has the options that matter to the test.
func (r *rig) start(o Options) *worker {
	w := &worker{bus: r.broker.Open("worker")}
	w.out = confirm.NewPublisher(w.bus)
	o.Bus, o.Publisher, o.Logger, o.Metrics = w.bus, w.out, r.log, r.metrics
	o.Worker = protocol.WorkerID(fmt.Sprintf("worker.%d", len(r.workers)+1))
	o.GatewayUsers = trust.New("BELFRY_GATEWAY_USERS", []string{"gateway"}, r.log)
	o.Life = life.New(w.out, o.Worker, life.NewMetrics(nil))
	if o.Authenticator == nil {
		o.Authenticator = authenticate(everybody)
	}
	if o.Authorizer == nil {
		o.Authorizer = authorize(everything)
	}
	w.server = New(o)
	r.workers = append(r.workers, w)
	w.server.Start()
	synctest.Wait()
	return w
}

// stop stops a worker within a second. It may be stopped already.
func (r *rig) stop(w *worker) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = w.server.Stop(ctx) // tests of Stop check its error themselves
	_ = w.out.Close()
	_ = w.bus.Close(context.Background())
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// ask publishes to the question queue as a gateway.
func (r *rig) ask(kind string, body []byte) { r.askAs(r.pub, kind, body) }

func (r *rig) askAs(pub amqpbus.Publisher, kind string, body []byte) {
	r.t.Helper()
	r.must(pub.Publish(r.t.Context(), amqpbus.Message{
		Exchange: amqpbus.ExchangeQuestions, Key: amqpbus.QueueQuestions, Type: kind, Mandatory: true, Body: body,
	}, func(err error) {
		if err != nil {
			r.t.Errorf("a question was not stored: %v", err)
		}
	}))
}

func (r *rig) connect(question protocol.QuestionID, token string) {
	r.t.Helper()
	m := connecting(question, token)
	r.ask(m.Type, m.Body)
}

// subscribe asks a question for a user who was accepted before.
func (r *rig) subscribe(question protocol.QuestionID, user string, groups ...protocol.Group) {
	r.t.Helper()
	m := subscribing(question, user, groups...)
	r.ask(m.Type, m.Body)
}

// drain consumes and returns all messages of a queue once all goroutines are idle.
func (r *rig) drain(queue string) []amqpbus.Delivery {
	r.t.Helper()
	synctest.Wait()
	con, err := r.gateway.OpenConsumer(r.t.Context(), amqpbus.ConsumerOptions{Queue: queue, Prefetch: 60_000})
	r.must(err)
	defer func() { _ = con.Close() }()
	synctest.Wait()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Millisecond)
	defer cancel()
	ds, err := con.Receive(ctx, 60_000)
	if err != nil {
		return nil
	}
	r.must(con.AckThrough(ds[len(ds)-1]))
	return ds
}

// reply is a decision and the worker that sent it.
type reply struct {
	protocol.Decision
	Worker string
}

// decisions returns the decisions that have arrived, by question. Two for one question are
// an error.
func (r *rig) decisions() map[protocol.QuestionID]reply {
	r.t.Helper()
	out := map[protocol.QuestionID]reply{}
	for _, d := range r.replies() {
		if _, twice := out[d.Question]; twice {
			r.t.Errorf("question %d is answered twice", d.Question)
		}
		out[d.Question] = d
	}
	return out
}

// replies returns the decisions that have arrived, in order, alone or in packs.
func (r *rig) replies() (out []reply) {
	r.t.Helper()
	for _, d := range r.drain(amqpbus.ReplyQueue(string(gatewayID))) {
		messages := []protocol.Packed{{Type: d.Type, Body: d.Body}}
		if d.Type == protocol.TypePack {
			var err error
			messages, err = protocol.DecodePack(d.Body)
			r.must(err)
		}
		for _, m := range messages {
			if m.Type != protocol.TypeDecision {
				continue
			}
			decision, err := protocol.Decode[protocol.Decision](m.Body)
			r.must(err)
			if d.UserID != "worker" || d.ReplyTo == "" {
				r.t.Errorf("question %d is answered by %q, as user %s", decision.Question, d.ReplyTo, d.UserID)
			}
			out = append(out, reply{decision, d.ReplyTo})
		}
	}
	return out
}

// answered returns the sorted numbers of the questions that have been answered.
func (r *rig) answered() []protocol.QuestionID {
	r.t.Helper()
	again := map[protocol.QuestionID]reply{}
	for _, d := range r.replies() {
		again[d.Question] = d
	}
	return questions(again)
}

// pack asks several questions in one message.
func (r *rig) pack(messages ...protocol.Packed) {
	r.t.Helper()
	r.ask(protocol.TypePack, protocol.EncodePack(messages))
}

func connecting(question protocol.QuestionID, token string) protocol.Packed {
	return protocol.Packed{Type: protocol.TypeConnect, Body: protocol.Connect{
		Gateway: gatewayID, Conn: protocol.ConnID(question), Question: question, Token: protocol.NewToken(token),
	}.Encode()}
}

func subscribing(question protocol.QuestionID, user string, groups ...protocol.Group) protocol.Packed {
	return protocol.Packed{Type: protocol.TypeSubscribe, Body: protocol.Encode(protocol.Subscribe{
		Gateway: gatewayID, Conn: protocol.ConnID(question), Question: question, Groups: groups,
		Identity: json.RawMessage(fmt.Sprintf(`{"user": %s, "fingerprint": "f"}`, user)),
	})}
}

// pass lets virtual time pass, then waits until all goroutines are idle.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// questions returns the sorted numbers of the questions in a map.
func questions(ds map[protocol.QuestionID]reply) []protocol.QuestionID {
	out := make([]protocol.QuestionID, 0, len(ds))
	for q := range ds {
		out = append(out, q)
	}
	slices.Sort(out)
	return out
}
