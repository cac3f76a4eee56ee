package rabbit

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/brokertest"
)

// TestNodesAreTriedInTurn: the first that answers is used, and the next one
// when it is lost; no password is shown on the way.
func TestNodesAreTriedInTurn(t *testing.T) {
	a, b := brokertest.Start(t), brokertest.Start(t)
	for _, n := range []*brokertest.Node{a, b} {
		if err := n.AddUser("lister", "hidden", ".*", ".*", ".*"); err != nil {
			t.Fatal(err)
		}
	}
	port, err := brokertest.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	dead := fmt.Sprintf("amqp://lister:hidden@127.0.0.1:%d/", port)
	list := dead + "," + a.URL("lister") + ", " + b.URL("lister")
	core, logs := observer.New(zap.DebugLevel)
	bus := openBus(t, Options{URL: list, Logger: zap.New(core)})
	healthy(t, bus, func(h amqpbus.Health) bool { return h.Connected })
	if bus.User() != "lister" {
		t.Errorf("the user is %q", bus.User())
	}
	on := func(n *brokertest.Node) int {
		_, port, _ := net.SplitHostPort(n.Address())
		count := 0
		for _, e := range logs.FilterMessageSnippet("connected to a node").All() {
			if strings.Contains(fmt.Sprint(e.ContextMap()["address"]), ":"+port+"/") {
				count++
			}
		}
		return count
	}
	if on(a) != 2 || on(b) != 0 {
		t.Errorf("links to the first that runs: %d, to the other: %d", on(a), on(b))
	}
	probe, err := OpenProbe(t.Context(), Options{URL: list})
	if err != nil {
		t.Fatal(err)
	}
	if got := probe.Address(); !strings.Contains(got, a.Address()) || strings.Contains(got, "hidden") {
		t.Errorf("a probe is connected to %s", got)
	}
	if err := probe.Close(); err != nil {
		t.Error(err)
	}

	a.Kill9()
	healthy(t, bus, func(h amqpbus.Health) bool { return h.Connected && on(b) == 2 })
	b.Kill9()
	h := healthy(t, bus, func(h amqpbus.Health) bool {
		return h.Err != nil && strings.Count(h.Err.Error(), "connect to") == 3
	})
	for _, where := range []string{fmt.Sprint(port), a.Address(), b.Address()} {
		if !strings.Contains(h.Err.Error(), where) {
			t.Errorf("%s is missing in: %v", where, h.Err)
		}
	}
	for _, e := range logs.All() {
		if text := fmt.Sprint(e.Message, e.ContextMap()); strings.Contains(text, "hidden") {
			t.Errorf("the password is in the log: %s", text)
		}
	}
	if strings.Contains(fmt.Sprint(h.Err), "hidden") {
		t.Errorf("the password is in the health: %v", h.Err)
	}
}
