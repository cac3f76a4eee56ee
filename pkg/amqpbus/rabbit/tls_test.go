package rabbit

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/brokertest"
)

// authority signs certificates for one test.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // the authority's own certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	a.file, _ = a.sign("authority", template)
	return a
}

// certificate makes a certificate for a name, and returns its files.
func (a *authority) certificate(name string) (certFile, keyFile string) {
	a.t.Helper()
	return a.sign(name, &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{name}, KeyUsage: x509.KeyUsageDigitalSignature})
}

func (a *authority) sign(name string, template *x509.Certificate) (certFile, keyFile string) {
	a.t.Helper()
	template.Subject = pkix.Name{CommonName: name}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		a.t.Fatal(err)
	}
	if a.cert == nil {
		if a.cert, err = x509.ParseCertificate(der); err != nil {
			a.t.Fatal(err)
		}
		a.key = key
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	write := func(kind string, der []byte) string {
		file := filepath.Join(a.dir, name+"."+strings.Fields(kind)[0]+".pem")
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			a.t.Fatal(err)
		}
		return file
	}
	return write("CERTIFICATE", der), write("EC PRIVATE KEY", secret)
}

// front speaks TLS in front of a broker, as the name localhost, to clients that
// have a certificate of the authority. It returns its port.
func front(t *testing.T, a *authority, broker string) string {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(a.certificate("localhost"))
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AddCert(a.cert)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients,
	})
	if err != nil {
		t.Fatal(err)
	}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() { join(c, broker) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); open.Wait() })
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// join copies both ways until one side ends.
func join(c net.Conn, broker string) {
	defer func() { _ = c.Close() }()
	b, err := net.Dial("tcp", broker)
	if err != nil {
		return
	}
	var back sync.WaitGroup
	back.Go(func() { _, _ = io.Copy(c, b); _ = c.Close() })
	_, _ = io.Copy(b, c)
	_ = b.Close()
	back.Wait()
}

// TestTLS opens a bus over TLS with a client certificate. What guard mends it
// must read in the clear, so TLS is below it.
func TestTLS(t *testing.T) {
	n := brokertest.Start(t)
	a := newAuthority(t)
	port := front(t, a, n.Address())
	o := Options{URL: "amqps://guest:guest@localhost:" + port + "/", CAFile: a.file, Heartbeat: time.Second}
	o.CertFile, o.KeyFile = a.certificate("gateway")
	b := openBus(t, o)
	declare(t, b, amqpbus.Queue{Name: "q"})
	next := consume(t, b, "q")
	f := newForeigner(t, n.URL("guest"))
	if !f.publish(brokertest.RawMessage{Key: "q", Table: entry("n", 'L', 0, 0, 1, 0, 0, 0, 0, 0), Body: []byte("with an L")}) {
		t.Fatal("the broker does not take an L")
	}
	if d := next(); string(d.Body) != "with an L" {
		t.Errorf("received %q", d.Body)
	}
	// A silent broker is noticed through TLS, too.
	n.Pause()
	defer n.Resume()
	healthy(t, b, func(h amqpbus.Health) bool { return !h.Connected })
	n.Resume()
	healthy(t, b, func(h amqpbus.Health) bool { return h.Connected })

	for name, c := range map[string]struct {
		change func(*Options)
		says   func(error) bool
	}{
		"another name":                   {func(o *Options) { o.URL = strings.Replace(o.URL, "localhost", "127.0.0.1", 1) }, isA[x509.HostnameError]},
		"an authority that is not known": {func(o *Options) { o.CAFile = newAuthority(t).file }, isA[x509.UnknownAuthorityError]},
		"no client certificate": {func(o *Options) { o.CertFile, o.KeyFile = "", "" },
			func(err error) bool { return strings.Contains(err.Error(), "certificate") }},
		"a password that is wrong": {func(o *Options) { o.URL = strings.Replace(o.URL, ":guest@", ":secret@", 1) },
			func(err error) bool { return strings.Contains(err.Error(), "BELFRY_AMQP_URL") }},
	} {
		wrong := o
		c.change(&wrong)
		other := openBus(t, wrong)
		h := healthy(t, other, func(h amqpbus.Health) bool { return h.Connected || h.Err != nil && c.says(h.Err) })
		if h.Connected {
			t.Errorf("%s: connected", name)
		}
		if text := fmt.Sprint(h.Err); strings.Contains(text, "secret") || strings.Contains(text, ":guest@") {
			t.Errorf("%s: the password is in %q", name, text)
		}
	}
}

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// The port of TLS is not the library's when it does not know of TLS.
func TestAddressWithoutTLS(t *testing.T) {
	for in, want := range map[string]string{
		"amqp://u:p@host/v":         "amqp://u:p@host:5672/v",
		"amqps://u:p%2F@host/v%2Fw": "amqp://u:p%2F@host:5671/v%2Fw",
		"amqps://u:p@host:1234//":   "amqp://u:p@host:1234/%2F",
		"amqps://u:p@[::1]/":        "amqp://u:p@[::1]:5671/%2F",
	} {
		targets, err := parse(Options{URL: in, Insecure: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := withoutTLS(targets[0]).Reveal(); got != want {
			t.Errorf("%s became %s, want %s", in, got, want)
		}
	}
}
