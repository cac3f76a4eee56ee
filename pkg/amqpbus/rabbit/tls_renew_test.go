package rabbit

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/brokertest"
)

// renewed speaks TLS in front of a broker, like front, with certificates that
// change while it runs.
type renewed struct {
	t      *testing.T
	config atomic.Pointer[tls.Config]

	mu   sync.Mutex
	open []net.Conn // guarded by mu
}

// use takes the authority's certificates from the next connection on.
func (r *renewed) use(a *authority) {
	r.t.Helper()
	pair, err := tls.LoadX509KeyPair(a.certificate("localhost"))
	if err != nil {
		r.t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AddCert(a.cert)
	r.config.Store(&tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients,
	})
}

// cut ends all connections, as a restart of the broker does.
func (r *renewed) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.open {
		_ = c.Close()
	}
	r.open = nil
}

func (r *renewed) listen(broker string) (port string) {
	r.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r.mu.Lock()
			r.open = append(r.open, c)
			r.mu.Unlock()
			running.Go(func() { join(tls.Server(c, r.config.Load()), broker) })
		}
	})
	r.t.Cleanup(func() { _ = l.Close(); r.cut(); running.Wait() })
	_, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	return port
}

// TestRenewedCertificates: authority, client certificate and key are replaced in
// their files while the bus runs, and the broker takes the new ones alone.
func TestRenewedCertificates(t *testing.T) {
	n := brokertest.Start(t)
	before, after := newAuthority(t), newAuthority(t)
	r := &renewed{t: t}
	r.use(before)
	o := Options{URL: "amqps://guest:guest@localhost:" + r.listen(n.Address()) + "/", CAFile: before.file, Heartbeat: time.Second}
	o.CertFile, o.KeyFile = before.certificate("gateway")
	b := openBus(t, o)
	up := func(h amqpbus.Health) bool { return h.Connected }
	healthy(t, b, up)

	replace := func(file, by string) {
		t.Helper()
		text, err := os.ReadFile(by)
		if err == nil {
			err = os.WriteFile(file, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	cert, key := after.certificate("gateway")
	replace(o.CAFile, after.file)
	replace(o.CertFile, cert)
	r.use(after)
	r.cut()
	// The key is not there yet: the error names the files' variables, and the bus goes on.
	h := healthy(t, b, func(h amqpbus.Health) bool {
		return h.Err != nil && strings.Contains(h.Err.Error(), "BELFRY_AMQP_KEY_FILE")
	})
	if h.Connected {
		t.Error("connected with a certificate and another's key")
	}
	replace(o.KeyFile, key)
	healthy(t, b, up)
	r.cut()
	healthy(t, b, func(h amqpbus.Health) bool { return !h.Connected })
	healthy(t, b, up)
}
