package blackbox

import (
	"crypto/rand"
	"slices"
	"testing"

	"belfry/e2e/harness"
	"belfry/pkg/amqpbus"
)

// backends are rows about what comes in by AMQP: docs/emitting.md.
var backends = []row{
	{name: "an emit without an id comes as often as it is published", amqp: true, run: func(t *testing.T, in *harness.Installation) {
		c := open(t, in, 0, harness.TokenAdmin)
		g, e := group(), event()
		c.join(g)
		for range 3 {
			in.Publish(t, harness.Plain{Group: g, Payload: e})
			c.expect(e)
		}
	}},
	{name: "the same id, group and body twice is delivered once", amqp: true, run: sentAgain},
	{name: "bad emits are parked with the reason, their neighbours delivered", amqp: true, run: bad},
	{name: "what only gateways and workers may say changes nothing", amqp: true, run: forged},
}

// sentAgain publishes again what was confirmed, as a publisher does that lost
// its connection before it knew.
func sentAgain(t *testing.T, in *harness.Installation) {
	c, other := open(t, in, 0, harness.TokenAdmin), open(t, in, 1, harness.TokenAdmin)
	g, another, a, b, last := group(), group(), event(), event(), event()
	c.join(g, another)
	other.join(g)
	once := harness.Plain{Group: g, Payload: a, ID: "same-" + rand.Text()}
	in.Publish(t, once)
	in.Publish(t, once)
	in.Publish(t, harness.Plain{Group: another, Payload: a, ID: once.ID}) // is another event
	in.Publish(t, harness.Plain{Group: g, Payload: b, ID: once.ID})       // so is this
	in.Publish(t, harness.Plain{Group: g, Payload: last, ID: rand.Text()})
	other.expect(a)
	other.expect(b)
	other.expect(last)
	got := []string{c.next(), c.next(), c.next(), c.next()} // two groups: no order between them
	if want := []string{a, a, b, last}; !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
		t.Fatalf("got %q, want %q", got, want)
	}
	c.quiet()
	other.quiet()
}

// bad publishes what breaks the contract between emits that do not.
func bad(t *testing.T, in *harness.Installation) {
	c := open(t, in, 0, harness.TokenAdmin)
	g := group()
	c.join(g)
	spoiled := []struct {
		group, payload, reason string
		id                     string
	}{
		{group: "nodash", payload: `1`, reason: "group out of bounds"},
		{group: "no-\x01control", payload: `1`, reason: "group out of bounds"},
		{group: g, payload: "", reason: "empty payload"},
		{group: g, payload: "\xff\xfe", reason: "payload is not valid UTF-8"},
		{group: g, payload: `{"half": `, reason: "payload is not JSON"},
		{group: g, payload: "plain wörds", reason: "payload is not JSON"},
		{group: g, payload: `{"a": 1} {"b": 2}`, reason: "payload is not JSON"},
		{group: g, payload: sized(1<<20 + 1), reason: "payload over 1 MiB"},
	}
	var ids []string
	for i := range spoiled {
		s := &spoiled[i]
		s.id = "bad-" + rand.Text()
		ids = append(ids, s.id)
		in.Publish(t, harness.Plain{Group: s.group, Payload: s.payload, ID: s.id})
		e := event()
		in.Publish(t, harness.Plain{Group: g, Payload: e, ID: rand.Text()})
		c.expect(e)
	}
	in.Publish(t, harness.Plain{Group: g, Payload: sized(1 << 20), ID: rand.Text()})
	c.expect(sized(1 << 20))
	c.quiet()
	for i, parked := range in.Parked(t, ids...) {
		s := spoiled[i]
		origin := amqpbus.ExchangeEmit + "/" + s.group
		if parked.Reason != s.reason || parked.Origin != origin || parked.Body != s.payload[:min(len(s.payload), 4<<10)] {
			t.Errorf("%.40q to %q was parked as %q from %q, %.40q; want %q from %q", s.payload, s.group, parked.Reason, parked.Origin, parked.Body, s.reason, origin)
		}
	}
}

// forged publishes, as a backend's user, what only gateways and workers may
// say, in the names of those who serve the client.
func forged(t *testing.T, in *harness.Installation) {
	in.AwaitLeaders(t)
	var clients []*client
	g := group()
	for i := range in.Gateways {
		c := open(t, in, i, harness.TokenAdmin)
		c.join(g)
		clients = append(clients, c)
	}
	rejected := func(p *harness.Process) float64 {
		return p.Metric(t, `belfry_gateway_replies_rejected_total{reason="user"}`) + p.Metric(t, "belfry_worker_replies_refused_total")
	}
	before := map[*harness.Process]float64{}
	for _, p := range slices.Concat(in.Gateways, in.Workers) {
		before[p] = rejected(p)
	}
	f := in.Forge(t, g)
	for p, was := range before {
		want := f.Gateway
		if slices.Contains(in.Workers, p) {
			want = f.Worker
		}
		harness.Until(t, patience, p.Name+" to refuse them all", func() bool { return rejected(p)-was >= float64(want) })
		if got := rejected(p) - was; got != float64(want) {
			t.Errorf("%s refused %v forged messages, want %d", p.Name, got, want)
		}
	}
	for _, c := range clients {
		c.quiet()
	}
	e := event()
	in.Emit(t, g, e)
	for _, c := range clients {
		c.expect(e)
		c.ask(message(g), reply([]string{g}, nil, nil))
	}
}
