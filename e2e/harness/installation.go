package harness

import (
	"crypto/tls"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"belfry/e2e/wsclient"
)

// Shape says in which form Belfry runs.
type Shape struct {
	Embedded bool // gateway and worker in one process, no broker
	Gateways int
	Workers  int
	Shards   int
	// Env is added to every process's environment, behind the harness's own.
	Env []string
	// GatewayEnv and WorkerEnv are for one role only.
	GatewayEnv, WorkerEnv []string
	// Nginx puts the two gateways behind nginx, which speaks TLS. Everything then
	// has the ports of deploy/nginx/development.conf.
	Nginx bool
	// Broker, when set, is used instead of a virtual host of the shared one.
	Broker *Broker
	// Auth is how workers check tokens.
	Auth Auth
	// Race builds gateways and workers with the race detector.
	Race bool
}

// Installation is a running Belfry.
type Installation struct {
	Gateways []*Process
	Workers  []*Process
	Broker   *Broker // nil in the embedded mode
	Nginx    *Nginx  // nil: clients speak to the gateways themselves

	shape     Shape
	dir       string
	page      bool
	authority *authority

	emitting sync.Mutex
	emitter  driver
	plain    *publisher
}

// driver emits one payload and returns when it is confirmed.
type driver interface {
	emit(group, payload string) error
	close()
}

// Start runs an installation and waits until it is ready. It ends with the
// test.
func Start(t testing.TB, shape Shape) *Installation {
	t.Helper()
	if shape.Broker == nil && !shape.Embedded {
		shape.Broker = sharedBroker(t) // first, so that it goes after the processes
	}
	return Begin(t, shape)
}

// Begin is Start for any T. A shape that is not Embedded must have a Broker.
func Begin(t T, shape Shape) *Installation {
	t.Helper()
	in := prepare(t, shape)
	t.Cleanup(func() { in.stop(t) })
	if shape.Embedded {
		in.startEmbedded(t)
		return in
	}
	in.shape.Env = append([]string{"BELFRY_AMQP_URL=" + in.Broker.URL(), "BELFRY_SHARDS=" + strconv.Itoa(shape.Shards)}, in.shape.Env...)
	for i := range shape.Workers {
		in.AddWorker(t, fmt.Sprintf("worker%d", i+1))
	}
	for i := range shape.Gateways {
		in.AddGateway(t, fmt.Sprintf("gateway%d", i+1))
	}
	in.WaitReady(t, 30*time.Second)
	if shape.Nginx {
		StartAPI(t)
		in.Nginx = StartNginx(t)
	}
	return in
}

// prepare makes what an installation needs before its first process starts: tokens
// and a policy.
func prepare(t T, shape Shape) *Installation {
	t.Helper()
	in := &Installation{shape: shape, dir: t.TempDir()}
	if shape.Nginx {
		FixedPorts(t)
	}
	in.Broker = shape.Broker
	in.authority = newAuthority(t, shape.Auth, in.dir)
	in.shape.Env = slices.Concat(in.authority.env, shape.Env)
	return in
}

// AddGateway starts one more gateway, with more of an environment than the
// others; it need not be ready at once.
func (in *Installation) AddGateway(t T, name string, env ...string) *Process {
	t.Helper()
	p := &Process{Name: name, Addr: in.gatewayAddr(t), Admin: FreeAddr(t), bin: in.binary(t, "gateway"), log: filepath.Join(in.dir, name+".log")}
	p.env = slices.Concat([]string{"BELFRY_LISTEN=" + p.Addr, "BELFRY_ADMIN_LISTEN=" + p.Admin, "BELFRY_NAME=" + name, "BELFRY_TRUSTED_PROXIES=127.0.0.1"},
		in.shape.Env, in.shape.GatewayEnv, env)
	in.Gateways = append(in.Gateways, p)
	p.start(t)
	return p
}

func (in *Installation) gatewayAddr(t T) string {
	if in.shape.Nginx {
		return GatewayAddrs[len(in.Gateways)]
	}
	return FreeAddr(t)
}

func (in *Installation) binary(t T, name string) string {
	t.Helper()
	if in.shape.Race {
		return raced.path(t, name)
	}
	return Binary(t, name)
}

// AddWorker starts one more worker, with more of an environment than the
// others; it need not be ready at once.
func (in *Installation) AddWorker(t T, name string, env ...string) *Process {
	t.Helper()
	p := &Process{Name: name, Admin: FreeAddr(t), bin: in.binary(t, "worker"), log: filepath.Join(in.dir, name+".log")}
	p.env = slices.Concat([]string{"BELFRY_ADMIN_LISTEN=" + p.Admin, "BELFRY_NAME=" + name}, in.shape.Env, in.shape.WorkerEnv, env)
	if slices.Contains(env, "BELFRY_ADMIN_LISTEN=") {
		p.Admin = ""
	}
	in.Workers = append(in.Workers, p)
	p.start(t)
	return p
}

// processes are all of them.
func (in *Installation) processes() []*Process { return slices.Concat(in.Gateways, in.Workers) }

// WaitReady waits for every process that runs.
func (in *Installation) WaitReady(t T, within time.Duration) {
	t.Helper()
	for _, p := range in.processes() {
		if err := p.WaitReady(within); err != nil {
			t.Fatalf("%v\n%s", err, p.Tail(40))
		}
	}
}

// Shards is the number of shards.
func (in *Installation) Shards() int { return in.shape.Shards }

// Request is r, sent to the i-th gateway, counted round, or to nginx. The names
// of tokens' holders in it become tokens.
func (in *Installation) Request(i int, r wsclient.Request) wsclient.Request {
	r.Addr = in.Addr(i)
	r.TLS = in.TLS()
	r.Token = in.authority.named.Replace(r.Token)
	in.authority.used(r.Token)
	r.Path = in.authority.named.Replace(r.Path)
	r.Header = slices.Clone(r.Header)
	for i := range r.Header {
		r.Header[i].Value = in.authority.named.Replace(r.Header[i].Value)
	}
	return r
}

// Addr is where clients of the i-th gateway, counted round, dial.
func (in *Installation) Addr(i int) string {
	if in.Nginx != nil {
		return in.Nginx.Addr
	}
	return in.Gateways[i%len(in.Gateways)].Addr
}

// Addrs are all addresses that clients may dial.
func (in *Installation) Addrs() []string {
	if in.Nginx != nil {
		return []string{in.Nginx.Addr}
	}
	out := make([]string, 0, len(in.Gateways))
	for _, g := range in.Gateways {
		out = append(out, g.Addr)
	}
	return out
}

// TLS is what clients verify the server with; nil: they speak without TLS.
func (in *Installation) TLS() *tls.Config {
	if in.Nginx == nil {
		return nil
	}
	return in.Nginx.TLS
}

// Scheme is what an Origin begins with.
func (in *Installation) Scheme() string {
	if in.Nginx == nil {
		return "http"
	}
	return "https"
}

// Emit publishes one payload through the installation's driver and returns when
// it is confirmed. It may be called concurrently.
func (in *Installation) Emit(t testing.TB, group, payload string) {
	t.Helper()
	in.emitting.Lock()
	defer in.emitting.Unlock()
	if in.emitter == nil {
		d, err := in.openDriver()
		if err != nil {
			t.Errorf("open the emit driver: %v", err)
			return
		}
		in.emitter = d
	}
	if err := in.emitter.emit(group, payload); err != nil {
		t.Errorf("emit to %s: %v", group, err)
	}
}

// stop ends the processes that still run, gateways first, fails the test for
// what they did wrong, and shows the logs of a failed test.
func (in *Installation) stop(t T) {
	if in.emitter != nil {
		in.emitter.close()
	}
	if in.plain != nil {
		in.plain.close()
	}
	for _, p := range in.processes() {
		if p.cmd == nil {
			continue // it could not be started
		}
		p.inspect(t)
		p.silent(t, in.authority.everUsed())
		select {
		case <-p.done:
		default:
			p.Kill9()
		}
	}
	if !t.Failed() {
		return
	}
	for _, p := range in.processes() {
		t.Logf("the last lines of %s:\n%s", p.Name, p.Tail(60))
	}
}
