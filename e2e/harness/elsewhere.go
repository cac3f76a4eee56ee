package harness

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"belfry/pkg/amqpbus/brokertest"
)

// Elsewhere is a Belfry that something else runs, such as a container engine.
type Elsewhere struct {
	Gateways, Workers []Follower
	Broker            *Broker
	Nginx             *Nginx // where clients dial; nil: at the gateways
	Page              bool   // an application behind nginx has a page at /
}

// Follower tells of one of its programs.
type Follower struct {
	Name  string
	Addr  string   // gateway: where clients dial, where there is no nginx
	Admin string   // its admin listener
	Log   []string // a command that writes its log for as long as it runs
}

// Prepare makes the tokens and the policy of an installation that something else
// is about to start: with Env in the workers' environment, and Dir in their file
// system at the same path. Attach tells where it is then. Shape.Gateways, Workers
// and Env are not used.
func Prepare(t testing.TB, shape Shape) *Installation {
	t.Helper()
	return prepare(t, shape)
}

// Env is how workers check the installation's tokens.
func (in *Installation) Env() []string { return in.authority.env }

// Dir is the folder that Env names files of.
func (in *Installation) Dir() string { return in.dir }

// Attach takes in what runs, which must be ready. What is started and ended here is
// only what reads the logs: the programs are those of who started them, and must
// run until the test's own cleanup, which looks at what they wrote and export.
func (in *Installation) Attach(t testing.TB, e Elsewhere) {
	t.Helper()
	t.Cleanup(func() { in.stop(t) })
	in.Broker, in.Nginx, in.page = e.Broker, e.Nginx, e.Page
	follow := func(f Follower) *Process {
		p := &Process{Name: f.Name, Addr: f.Addr, Admin: f.Admin, bin: f.Log[0], args: f.Log[1:], log: filepath.Join(in.dir, f.Name+".log")}
		p.start(t)
		return p
	}
	for _, f := range e.Gateways {
		in.Gateways = append(in.Gateways, follow(f))
	}
	for _, f := range e.Workers {
		in.Workers = append(in.Workers, follow(f))
	}
	in.WaitReady(t, 30*time.Second)
}

// Page says that / is an application's page.
func (in *Installation) Page() bool { return in.page }

// BrokerElsewhere is a broker that something else runs: clients reach it at
// address (host:port), in the virtual host "/", and ctl runs rabbitmqctl for it.
// It gets the users that the tests log in as.
func BrokerElsewhere(t testing.TB, address string, ctl func(args ...string) (string, error)) *Broker {
	t.Helper()
	b := &Broker{vhost: "/", user: "tests", via: address} // guest may log in from the broker's own host only
	b.queues = func() ([]string, error) {
		out, err := ctl("list_queues", "--no-table-headers", "name")
		return strings.Fields(out), err
	}
	for _, step := range [][]string{
		{"add_user", b.user, b.user}, {"set_permissions", b.user, ".*", ".*", ".*"},
		{"add_user", Backend, brokertest.Password}, {"set_permissions", Backend, "^$", backendMay, "^$"},
	} {
		if _, err := ctl(step...); err != nil {
			t.Fatal(err)
		}
	}
	return b
}
