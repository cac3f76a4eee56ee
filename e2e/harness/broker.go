package harness

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"belfry/pkg/amqpbus/brokertest"
)

// Broker is a private RabbitMQ node, or a virtual host of one, with the three
// users of an installation: gateway and worker (here one user, guest) and
// backend, which may publish emits and nothing else.
type Broker struct {
	node  *brokertest.Node
	vhost string
	via   string // where clients reach it; empty: at the node
}

// Backend is the broker user of a backend.
const (
	Backend         = "backend"
	backendPassword = "backend"
)

// shared is the node that installations of one test binary share, each with a
// virtual host of its own.
var shared struct {
	once sync.Once
	node *brokertest.Node
	err  error
	dir  string
}

var lastVhost atomic.Int64

func startNode(dir string) (*brokertest.Node, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	node, err := brokertest.StartNode(ctx, dir)
	if err != nil {
		return nil, err
	}
	// Its permissions are given for each virtual host.
	return node, node.AddUser(Backend, backendPassword, "^$", "^$", "^$")
}

func sharedBroker(t testing.TB) *Broker {
	t.Helper()
	shared.once.Do(func() { shared.node, shared.err = startNode(tempDir(&shared.dir)) })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return newVhost(t, shared.node)
}

// OwnBroker starts a node for one test alone, which may kill it.
func OwnBroker(t testing.TB) *Broker {
	t.Helper()
	node, err := startNode(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(node.Stop)
	return newVhost(t, node)
}

func newVhost(t testing.TB, node *brokertest.Node) *Broker {
	t.Helper()
	b := &Broker{node: node, vhost: "test" + strconv.FormatInt(lastVhost.Add(1), 10)}
	b.Ctl(t, "add_vhost", b.vhost)
	b.Ctl(t, "set_permissions", "-p", b.vhost, "guest", ".*", ".*", ".*")
	b.Ctl(t, "set_permissions", "-p", b.vhost, Backend, "^$", `^belfry\.(emit(\.v1\.n[0-9]+)?|disconnect|interest\.v1\.n[0-9]+|reply(\.all)?)$`, "^$")
	return b
}

// URL is the broker's address for gateways and workers.
func (b *Broker) URL() string { return b.url("guest", "guest") }

// BackendURL is its address for a backend.
func (b *Broker) BackendURL() string { return b.url(Backend, backendPassword) }

// URLOf is its address for another user.
func (b *Broker) URLOf(user, password string) string { return b.url(user, password) }

func (b *Broker) url(user, password string) string {
	u := url.URL{Scheme: "amqp", User: url.UserPassword(user, password), Host: cmp.Or(b.via, b.node.Address()), Path: "/" + b.vhost}
	return u.String()
}

// Ctl runs rabbitmqctl against the node.
func (b *Broker) Ctl(t testing.TB, args ...string) string {
	t.Helper()
	out, err := b.node.Ctl(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Stop ends the broker in order; Restart starts it again.
func (b *Broker) Stop(testing.TB) { b.node.Stop() }

// Kill9 ends the broker's processes without a word.
func (b *Broker) Kill9(testing.TB) { b.node.Kill9() }

// Restart starts it again, with its data.
func (b *Broker) Restart(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	if err := b.node.StartAgain(ctx); err != nil {
		t.Fatal(err)
	}
}

// CloseConnection closes one connection as an operator does. Its name is its
// process's and its link's: "gateway gateway1 publish".
func (b *Broker) CloseConnection(t testing.TB, name string) {
	t.Helper()
	for line := range strings.Lines(b.Ctl(t, "list_connections", "--no-table-headers", "pid", "client_properties")) {
		if pid, properties, _ := strings.Cut(line, "\t"); strings.Contains(properties, `"connection_name","`+name+`"`) {
			b.Ctl(t, "close_connection", pid, "a drill")
			return
		}
	}
	t.Fatalf("the broker has no connection %q", name)
}

// CtlVHost runs a rabbitmqctl command that is about the virtual host.
func (b *Broker) CtlVHost(t testing.TB, command string, args ...string) string {
	t.Helper()
	return b.Ctl(t, append([]string{command, "-p", b.vhost}, args...)...)
}

// Queue is a queue as rabbitmqctl eval writes the name of one.
func (b *Broker) Queue(name string) string {
	return fmt.Sprintf("{resource,<<%q>>,queue,<<%q>>}", b.vhost, name)
}

// Exchange is an exchange as rabbitmqctl eval writes the name of one.
func (b *Broker) Exchange(name string) string {
	return fmt.Sprintf("{resource,<<%q>>,exchange,<<%q>>}", b.vhost, name)
}

// VHost is the name of the virtual host.
func (b *Broker) VHost() string { return b.vhost }

// Limit lets queues of a name hold no message from now on: every publish is
// refused. Unlimit lets them hold again what they may.
func (b *Broker) Limit(t testing.TB, queues string) {
	t.Helper()
	b.CtlVHost(t, "set_policy", "--apply-to", "queues", "limit", queues, `{"max-length":0}`)
}

// Unlimit undoes Limit.
func (b *Broker) Unlimit(t testing.TB) {
	t.Helper()
	b.CtlVHost(t, "clear_policy", "limit")
}

// Identities are the gateways and workers that have a reply queue.
func (b *Broker) Identities(t testing.TB) []string {
	t.Helper()
	var out []string
	for _, name := range b.Queues(t) {
		if id, ok := strings.CutPrefix(name, "belfry.reply."); ok {
			out = append(out, id)
		}
	}
	return out
}

// Queues are the names of all queues.
func (b *Broker) Queues(t testing.TB) []string {
	t.Helper()
	return strings.Fields(b.Ctl(t, "list_queues", "-p", b.vhost, "--no-table-headers", "--quiet", "name"))
}

// Pause stops the broker's processes without ending them; Resume lets them go on.
func (b *Broker) Pause() { b.node.Pause() }

// Resume undoes Pause.
func (b *Broker) Resume() { b.node.Resume() }

// Resources is what a broker holds.
type Resources struct{ Connections, Channels, Queues, Bindings int }

func (r Resources) String() string {
	return fmt.Sprintf("%d connections, %d channels, %d queues, %d bindings", r.Connections, r.Channels, r.Queues, r.Bindings)
}

// Resources counts them.
func (b *Broker) Resources(t testing.TB) Resources {
	t.Helper()
	lines := func(args ...string) int {
		n := 0
		for line := range strings.Lines(b.Ctl(t, args...)) {
			if strings.TrimSpace(line) != "" {
				n++
			}
		}
		return n
	}
	return Resources{
		Connections: lines("list_connections", "--no-table-headers", "pid"),
		Channels:    lines("list_channels", "--no-table-headers", "pid"),
		Queues:      lines("list_queues", "-p", b.vhost, "--no-table-headers", "name"),
		Bindings:    lines("list_bindings", "-p", b.vhost, "--no-table-headers", "source_name", "destination_name", "routing_key"),
	}
}
