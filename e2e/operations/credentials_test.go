package operations

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"belfry/e2e/harness"
	"belfry/e2e/wsclient"
	"belfry/pkg/amqpbus"
	"belfry/pkg/emitter"
	"belfry/pkg/eventlog"
	"belfry/pkg/protocol"
	"belfry/services/worker/lead"
)

// attempt is something that a credential in wrong hands is used for.
type attempt struct {
	what string
	do   func(*amqp.Channel) error
}

// victims are an installation whose users have exactly what `belfry permissions`
// prints, and a client of it.
type victims struct {
	*node
	in      *harness.Installation
	conn    *wsclient.Conn
	gateway string // the id of gateway1
	log     string // of the client's group
	key     string // the same one's routing key
	emitter *emitter.Emitter
	emitted int
}

const group = "jobs-summary"

func newVictims(t *testing.T) *victims {
	t.Helper()
	n := newNode(t)
	n.define(t, printed(t, n.vhost)...)
	in := harness.Start(t, harness.Shape{
		Broker: n.Broker, Gateways: 1, Workers: 1, Shards: shards,
		Env:        []string{shippedPasswords, "BELFRY_GATEWAY_USERS=" + gatewayUser, "BELFRY_WORKER_USERS=" + workerUser},
		GatewayEnv: []string{"BELFRY_AMQP_URL=" + n.url(gatewayUser, n.vhost)},
		WorkerEnv:  []string{"BELFRY_AMQP_URL=" + n.url(workerUser, n.vhost)},
	})
	shard := protocol.ShardOf(group, shards)
	v := &victims{node: n, in: in, log: amqpbus.LogQueue(shards, shard), key: amqpbus.LogKey(shards, shard)}
	v.gateway = strings.TrimPrefix(n.replyQueue(t, "gateway1"), amqpbus.ReplyQueue(""))
	v.conn = join(t, in.Addr(0), harness.TokenAdmin, "jobs", "summary")
	var err error
	v.emitter, err = emitter.Open(emitter.Options{URL: n.url(backendUser, n.vhost), Timeout: patience})
	must(t, err)
	t.Cleanup(func() { _ = v.emitter.Close(t.Context()) })
	return v
}

// undisturbed says that the client is there and was sent what a backend emits, and
// nothing else.
func (v *victims) undisturbed(t *testing.T, after string) {
	t.Helper()
	v.emitted++
	payload := fmt.Sprintf(`{"honest": %d}`, v.emitted)
	must(t, v.emitter.Emit(t.Context(), group, []byte(payload)))
	if got := nextEvent(t, v.conn); got != payload {
		t.Errorf("after %q the client got %s, want %s", after, got, payload)
	}
}

// forgeries are the messages that a thief sends: an emit, and an order.
func forgeries(group string) (emit, order amqp.Publishing) {
	// The emit has no id: of two with the same one the second is a copy, and not parked.
	return amqp.Publishing{Headers: amqp.Table{amqpbus.HeaderGroup: group}, Body: []byte(`{"forged": true}`)},
		amqp.Publishing{MessageId: "forged", Body: []byte(`{"user": 7}`)}
}

// TestStolenCredentials uses the password of each of the three users, whose permissions
// are those that `belfry permissions` prints, for what it is not there for. The broker
// refuses it, or it is parked or passed over, and counted; what is left is what the
// operations guide says.
func TestStolenCredentials(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	v := newVictims(t)
	t.Run("the broker refuses", v.brokerRefuses)
	t.Run("workers park", v.workersPark)
	t.Run("gateways pass over", v.gatewaysPassOver)
	t.Run("nothing is played back", v.notPlayedBack)
	t.Run("what is left", v.whatIsLeft)
}

func (v *victims) brokerRefuses(t *testing.T) {
	emit, order := forgeries(group)
	emits, own := []string{amqpbus.ExchangeEmit, amqpbus.EmitLogs(shards)}, "belfry.reply.mine"
	for _, user := range []string{gatewayUser, workerUser, backendUser} {
		f := v.thief(t, user)
		var attempts []attempt
		add := func(what string, do func(*amqp.Channel) error) { attempts = append(attempts, attempt{what, do}) }
		closed := []string{amqpbus.ExchangeDisconnect, amqpbus.ExchangeEmit}
		switch user {
		case gatewayUser:
			closed = slices.Concat(emits, []string{amqpbus.ExchangeDisconnect, amqpbus.ExchangeReplyAll, amqpbus.ExchangeEvents})
		case backendUser:
			closed = []string{"", amqpbus.ExchangeQuestions, amqpbus.ExchangeWorkers, amqpbus.ExchangeReply, amqpbus.ExchangeReplyAll, amqpbus.ExchangeEvents}
			copied := emit
			copied.Headers = amqp.Table{"CC": []any{v.log}, "BCC": []any{v.log}}
			add("publish to the default exchange by CC and BCC", f.publish("", "nobody", copied))
		}
		for _, exchange := range closed {
			p := emit
			if exchange == amqpbus.ExchangeDisconnect {
				p = order
			}
			add("publish to "+exchange, f.publish(exchange, group, p))
			if user == backendUser || exchange == "" {
				continue
			}
			add("lead an exchange to "+exchange, func(ch *amqp.Channel) error {
				return ch.ExchangeBind(exchange, "#", amqpbus.ExchangeQuestions, false, nil)
			})
			add("let messages die into "+exchange, f.dying(exchange, group, p))
			add("let "+exchange+" take what an own exchange cannot route", func(ch *amqp.Channel) error {
				return ch.ExchangeDeclare(own+".alternate", "fanout", true, false, false, false, amqp.Table{"alternate-exchange": exchange})
			})
		}
		for _, other := range []string{gatewayUser, workerUser, backendUser, "guest"} {
			named := emit
			named.UserId = other
			exchange := amqpbus.ExchangeReply
			if user == backendUser {
				exchange = amqpbus.ExchangeEmit
			}
			if other != user {
				add("publish in the name of "+other, f.publish(exchange, v.gateway, named))
			}
		}
		for _, queue := range []string{amqpbus.QueueDead, "belfry.mine"} {
			add("consume "+queue, func(ch *amqp.Channel) error {
				_, err := ch.Consume(queue, "", false, false, false, false, nil)
				return err
			})
		}
		add("declare a queue outside of Belfry's names", func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare("mine", true, false, false, false, nil)
			return err
		})
		for _, a := range attempts {
			switch err := f.try(a.do); {
			case err == nil:
				t.Errorf("%s could %s", user, a.what)
			case !strings.Contains(err.Error(), "ACCESS_REFUSED") && !strings.Contains(err.Error(), "user_id"):
				t.Errorf("%s: %s: %v", user, a.what, err)
			}
		}
	}
	v.undisturbed(t, "what the broker refused")
}

func (v *victims) workersPark(t *testing.T) {
	const emitReason, orderReason = "emit by a gateway, or not through an exchange of emits", "an order by a gateway, or not through the exchange belfry.disconnect"
	emit, order := forgeries(group)
	w := v.in.Workers[0]
	for _, user := range []string{gatewayUser, workerUser} {
		f := v.thief(t, user)
		try := func(what, reason, counter string, do func(*amqp.Channel) error) {
			t.Helper()
			before := w.Metric(t, counter)
			if err := f.try(do); err != nil {
				t.Errorf("%s: %s: %v; is the test still true?", user, what, err)
				return
			}
			if got := v.parkedReason(t); got != reason {
				t.Errorf("%s: %s: parked for %q, want %q", user, what, got, reason)
			}
			until(t, what+" is counted", func() bool { return w.Metric(t, counter) == before+1 })
			v.undisturbed(t, user+": "+what)
		}
		named := func(p amqp.Publishing) amqp.Publishing { p.UserId = user; return p }
		dead := `belfry_worker_dead_total{reason="` + emitReason + `"}`
		ended := `belfry_worker_disconnects_total{outcome="forged"}`
		for _, queue := range []string{v.log, amqpbus.LogQueue(shards, shards)} {
			try("write to "+queue, emitReason, dead, f.publish("", queue, emit))
			try("write to "+queue+" with its name", emitReason, dead, f.publish("", queue, named(emit)))
			copied := emit
			copied.Headers = amqp.Table{"CC": []any{queue}}
			try("write to "+queue+" by CC", emitReason, dead, f.publish("", "nobody", copied))
			try("bind "+queue+" to the exchange of questions", emitReason, dead, f.around(amqpbus.ExchangeQuestions, "direct", queue, emit))
			try("bind "+queue+" to an exchange of its own", emitReason, dead, f.around("belfry.reply.mine", "topic", queue, emit))
		}
		try("write an order", orderReason, ended, f.publish("", amqpbus.QueueDisconnect, order))
		try("write an order with its name", orderReason, ended, f.publish("", amqpbus.QueueDisconnect, named(order)))
		try("bind the orders to an exchange of its own", orderReason, ended, f.around("belfry.reply.mine", "topic", amqpbus.QueueDisconnect, order))
		try("let an order die into the queue", orderReason, ended, f.dying("", amqpbus.QueueDisconnect, order))
	}
	f := v.thief(t, gatewayUser)
	mark := amqp.Publishing{Type: lead.MarkType, MessageId: "forged", UserId: gatewayUser}
	must(t, f.try(f.publish("", v.log, mark)))
	if got := v.parkedReason(t); got != emitReason {
		t.Errorf("a mark by a gateway is parked for %q", got)
	}
	// A backend is not a gateway, whatever it calls its messages.
	f = v.thief(t, backendUser)
	kind, bye := eventlog.Encode(shards, eventlog.Bye{Gateway: v.gateway})
	must(t, f.try(f.publish(amqpbus.EmitLogs(shards), v.key, amqp.Publishing{Type: kind, Body: bye})))
	if got := v.parkedReason(t); got != "group out of bounds" {
		t.Errorf("a backend's bye is parked for %q", got)
	}
	v.undisturbed(t, "control messages")
}

// gatewaysPassOver what a gateway says as a worker would, with and without its name.
func (v *victims) gatewaysPassOver(t *testing.T) {
	f, g := v.thief(t, gatewayUser), v.in.Gateways[0]
	log := protocol.ShardOf(group, shards)
	encoded := func(message any) []byte { _, body := eventlog.Encode(shards, message); return body }
	const counter = `belfry_gateway_replies_rejected_total{reason="user"}`
	before, sent := g.Metric(t, counter), 0
	for kind, body := range map[string][]byte{
		eventlog.TypeBatch:      encoded(eventlog.Batch{Log: log, Gateway: v.gateway, Feed: 1, To: eventlog.Cursor{Offset: 1 << 40}, Events: []eventlog.Event{{Offset: 1 << 40, Group: group, Payload: []byte(`"forged"`)}}}),
		eventlog.TypeReset:      encoded(eventlog.Reset{Log: log, Gateway: v.gateway, Feed: 1, Cause: eventlog.CauseJump}),
		protocol.TypeDisconnect: []byte(`{"user":"7"}`),
		protocol.TypeDecision:   protocol.Encode(protocol.Decision{Conn: 1, Question: 1, Verdict: protocol.VerdictAccept, User: []byte("1")}),
		eventlog.TypeClaim:      encoded(eventlog.Claim{Log: log, Leader: eventlog.Leader{Term: 1 << 62, Worker: "w.1"}}),
	} {
		for _, user := range []string{"", gatewayUser} {
			p := amqp.Publishing{Type: kind, UserId: user, ReplyTo: "w.1", Body: body}
			must(t, f.try(f.publish(amqpbus.ExchangeReply, v.gateway, p)))
			must(t, f.try(f.publish("", amqpbus.ReplyQueue(v.gateway), p)))
			sent += 2
		}
	}
	until(t, "the gateway counts them", func() bool { return g.Metric(t, counter) == before+float64(sent) })
	v.undisturbed(t, "replies by a gateway")
}

// notPlayedBack: an order that a worker has passed on is collected, and let die into
// another gateway's queue when its user has logged in again there. The name on it is
// the worker's.
func (v *victims) notPlayedBack(t *testing.T) {
	f := v.thief(t, gatewayUser)
	const spy, back = "belfry.reply.spy", "belfry.reply.back"
	must(t, f.try(func(ch *amqp.Channel) error {
		if err := ch.ExchangeDeclare(back, "fanout", true, false, false, false, nil); err != nil {
			return err
		}
		if _, err := ch.QueueDeclare(spy, true, false, false, false, amqp.Table{"x-dead-letter-exchange": back}); err != nil {
			return err
		}
		return ch.QueueBind(spy, "", amqpbus.ExchangeReplyAll, false, nil)
	}))
	must(t, v.emitter.Disconnect(t.Context(), "9", ""))
	ch, err := f.conn.Channel()
	must(t, err)
	var order amqp.Delivery
	until(t, "the order is passed on", func() bool {
		d, there, err := ch.Get(spy, false)
		must(t, err)
		order = d
		return there && d.Type == protocol.TypeDisconnect
	})
	if order.UserId != workerUser {
		t.Fatalf("the order is by %q", order.UserId)
	}
	v.in.AddGateway(t, "gateway2")
	v.in.WaitReady(t, patience)
	conn := join(t, v.in.Addr(1), harness.TokenPhone, "jobs", "summary")
	second := v.in.Gateways[1]
	const counter = `belfry_gateway_replies_rejected_total{reason="user"}`
	before := second.Metric(t, counter)
	must(t, ch.QueueBind(v.replyQueue(t, "gateway2"), "", back, false, nil))
	must(t, order.Reject(false)) // so it dies
	until(t, "the second gateway has got it", func() bool { return second.Metric(t, counter) > before })
	must(t, v.emitter.Emit(t.Context(), group, []byte(`{"still": "there"}`)))
	if got := nextEvent(t, conn); got != `{"still": "there"}` {
		t.Errorf("the second gateway's client got %s", got)
	}
	if log := second.Log(); !strings.Contains(log, "plays back what others said") {
		t.Errorf("the gateway does not say so:\n%s", log)
	}
	if got := nextEvent(t, v.conn); got != `{"still": "there"}` {
		t.Errorf("the first gateway's client got %s", got)
	}
	must(t, ch.ExchangeDelete(back, false, false))
	_, err = ch.QueueDelete(spy, false, false, false)
	must(t, err)
}

// whatIsLeft to a gateway's credential is in the guide, in these words.
func (v *victims) whatIsLeft(t *testing.T) {
	manual := strings.Join(strings.Fields(read(t, "docs/operations.md")), " ")
	for _, words := range []string{"read every event", "read every question, tokens included", "speak as any other gateway", "delete or empty any queue"} {
		if !strings.Contains(manual, words) {
			t.Errorf("docs/operations.md does not say that a gateway's credential can %s", words)
		}
	}
	f := v.thief(t, gatewayUser)
	ch, err := f.conn.Channel()
	must(t, err)
	const spy = "belfry.reply.reader"
	_, err = ch.QueueDeclare(spy, true, false, false, false, nil)
	must(t, err)
	must(t, ch.QueueBind(spy, "#", amqpbus.ExchangeEmit, false, nil))
	must(t, ch.QueueBind(spy, amqpbus.QueueQuestions, amqpbus.ExchangeQuestions, false, nil))
	v.undisturbed(t, "a spy's bindings")
	request := v.in.Request(0, wsclient.Request{Token: harness.TokenUser})
	conn, answer, err := wsclient.Dial(t.Context(), request)
	if err != nil || conn == nil {
		t.Fatalf("connect: %v, %+v", err, answer)
	}
	defer conn.Drop()
	var event, token bool
	until(t, "the spy has read both", func() bool {
		d, _, err := ch.Get(spy, true)
		must(t, err)
		event = event || d.Exchange == amqpbus.ExchangeEmit && d.RoutingKey == group
		token = token || strings.Contains(string(d.Body), request.Token)
		return event && token
	})
	_, err = ch.QueueDelete(spy, false, false, false)
	must(t, err)
	_, err = ch.QueueDelete(amqpbus.QueueDisconnect, false, false, false)
	must(t, err)
	until(t, "the deleted queue is there again", func() bool { return slices.Contains(v.Queues(t), amqpbus.QueueDisconnect) })
	if err := v.conn.Leave(1000, time.Minute); err != nil {
		t.Error(err)
	}
}
