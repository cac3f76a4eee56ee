package logline

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"belfry/e2e/harness"
	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/brokertest"
	"belfry/pkg/amqpbus/rabbit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(brokertest.Sharing{Tests: m}) }

// real is a RabbitMQ, with a stretch of network in front of it for each bus.
type real struct {
	node    *brokertest.Node
	proxies map[amqpbus.Bus]*harness.Proxy
}

func (n *real) open(t testing.TB, name string) amqpbus.Bus {
	t.Helper()
	p := harness.StartProxy(t, n.node.Address())
	b, err := rabbit.Open(rabbit.Options{
		URL: strings.Replace(n.node.URL("guest"), n.node.Address(), p.Addr, 1), Name: name, Heartbeat: 2 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = b.Close(ctx) // one that is kept from its broker is cut
	})
	n.proxies[b] = p
	return b
}

func (n *real) cut(b amqpbus.Bus) { n.proxies[b].Cut() }

// away cuts the links and lets nothing through any more: new links are held.
func (n *real) away(b amqpbus.Bus) {
	p := n.proxies[b]
	p.Set(harness.Weather{Hold: true}, harness.Weather{Hold: true})
	p.Cut()
}

func (n *real) restart(t testing.TB) {
	t.Helper()
	n.node.Kill9()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := n.node.StartAgain(ctx); err != nil {
		t.Error(err)
	}
}

func TestOverRabbitMQ(t *testing.T) {
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			play(t, &real{brokertest.Start(t), map[amqpbus.Bus]*harness.Proxy{}}, 1, s.play)
		})
	}
}
