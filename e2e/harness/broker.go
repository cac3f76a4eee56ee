package harness

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"belfry/pkg/amqpbus/brokertest"
)

// Broker is a virtual host of a RabbitMQ node, with the three users of an
// installation: gateway and worker (here one user, guest) and backend, which may
// publish emits and orders to disconnect, and nothing else.
type Broker struct {
	node  *brokertest.Node // nil: something else runs it
	vhost string
	via   string // where clients reach it; empty: at the node
	user  string // of gateways, workers and what looks into queues; also its password
	// queues are the names of all queues, asked of who runs it; nil: of the node.
	queues func() ([]string, error)
}

// Backend is the broker user of a backend.
const Backend = "backend"

// backendMay are the exchanges that a backend may publish to.
const backendMay = `^belfry\.(emit(\.v2\.n[0-9]+)?|disconnect|reply(\.all|\.workers)?)$`

// sharedBroker is a virtual host of the node that all tests share.
func sharedBroker(t testing.TB) *Broker {
	t.Helper()
	return ofVHost(t, brokertest.Share(t))
}

// OnSharedNode is a virtual host of that node, for a test that has no
// installation and leaves the node alone.
func OnSharedNode(t testing.TB) *Broker {
	t.Helper()
	return sharedBroker(t)
}

// OwnBroker starts a node for one test alone, which may kill it.
func OwnBroker(t testing.TB) *Broker {
	t.Helper()
	return OnNode(t, brokertest.Start(t))
}

// OnNode makes a virtual host on a node that is t's alone and ends after the
// installation.
func OnNode(t T, node *brokertest.Node) *Broker {
	t.Helper()
	vhost, err := node.NewVHost()
	if err != nil {
		t.Fatal(err)
	}
	return ofVHost(t, vhost)
}

func ofVHost(t T, vhost *brokertest.VHost) *Broker {
	t.Helper()
	if err := vhost.AddUser(Backend, "^$", backendMay, "^$"); err != nil {
		t.Fatal(err)
	}
	return &Broker{node: vhost.Node, vhost: vhost.Name, user: "guest"}
}

// URL is the broker's address for gateways and workers.
func (b *Broker) URL() string { return b.url(b.user, b.user) }

// BackendURL is its address for a backend.
func (b *Broker) BackendURL() string { return b.url(Backend, brokertest.Password) }

// URLOf is its address for another user.
func (b *Broker) URLOf(user, password string) string { return b.url(user, password) }

func (b *Broker) url(user, password string) string {
	host := b.via
	if host == "" {
		host = b.node.Address()
	}
	u := url.URL{Scheme: "amqp", User: url.UserPassword(user, password), Host: host, Path: "/" + strings.TrimPrefix(b.vhost, "/")}
	return u.String()
}

// Ctl runs rabbitmqctl against the node, which takes seconds: only for what the
// management API lacks.
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
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
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
	b.SetPolicy(t, "limit", queues, map[string]any{"max-length": 0})
}

// SetPolicy gives queues whose name matches a pattern a definition.
func (b *Broker) SetPolicy(t testing.TB, name, pattern string, definition map[string]any) {
	t.Helper()
	if err := b.node.SetPolicy(b.vhost, name, pattern, definition); err != nil {
		t.Fatal(err)
	}
}

// Unlimit undoes Limit.
func (b *Broker) Unlimit(t testing.TB) {
	t.Helper()
	if err := b.node.DeletePolicy(b.vhost, "limit"); err != nil {
		t.Fatal(err)
	}
}

// Permit gives a user permissions, as RabbitMQ's regular expressions.
func (b *Broker) Permit(t testing.TB, user, configure, write, read string) {
	t.Helper()
	if err := b.node.Permit(b.vhost, user, configure, write, read); err != nil {
		t.Fatal(err)
	}
}

// SetUser makes a user of the whole node, or gives it another password.
func (b *Broker) SetUser(t testing.TB, name, password string) {
	t.Helper()
	if err := b.node.SetUser(name, password); err != nil {
		t.Fatal(err)
	}
}

// AddVHost makes a virtual host, if it is not there.
func (b *Broker) AddVHost(t testing.TB, vhost string) {
	t.Helper()
	if err := b.node.AddVHost(vhost); err != nil {
		t.Fatal(err)
	}
}

// PermitIn is Permit in another virtual host.
func (b *Broker) PermitIn(t testing.TB, vhost, user, configure, write, read string) {
	t.Helper()
	if err := b.node.Permit(vhost, user, configure, write, read); err != nil {
		t.Fatal(err)
	}
}

// DeleteQueue deletes a queue with what is in it.
func (b *Broker) DeleteQueue(t testing.TB, queue string) {
	t.Helper()
	if err := b.node.DeleteQueue(b.vhost, queue); err != nil {
		t.Fatal(err)
	}
}

// DeleteExchange deletes an exchange with its bindings.
func (b *Broker) DeleteExchange(t testing.TB, exchange string) {
	t.Helper()
	if err := b.node.DeleteExchange(b.vhost, exchange); err != nil {
		t.Fatal(err)
	}
}

// Unbind removes all bindings that somebody made, and returns how many.
func (b *Broker) Unbind(t testing.TB) int {
	t.Helper()
	removed, err := b.node.Unbind(b.vhost)
	if err != nil {
		t.Fatal(err)
	}
	return removed
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
	ask := b.queues
	if ask == nil {
		ask = func() ([]string, error) { return b.node.Queues(b.vhost) }
	}
	names, err := ask()
	if err != nil {
		t.Fatal(err)
	}
	return names
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
	var r Resources
	out := b.Ctl(t, "eval", "{length(rabbit_networking:connections()), length(rabbit_channel:list())}.")
	if _, err := fmt.Sscanf(out, "{%d,%d}", &r.Connections, &r.Channels); err != nil {
		t.Fatalf("count connections and channels: %v: %s", err, out)
	}
	r.Queues = len(b.Queues(t))
	bindings, err := b.node.Bindings(b.vhost)
	if err != nil {
		t.Fatal(err)
	}
	r.Bindings = bindings
	return r
}
