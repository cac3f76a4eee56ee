package outbound

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"
)

func tlsConfig(roots *x509.CertPool) *tls.Config {
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}

// authorities is a round tripper that trusts the certificate authorities in a
// file. When the file changes it builds a new transport and stops using the old
// one's connections. If the changed file cannot be used, the authorities that were
// read before stay trusted.
type authorities struct {
	options Options

	mu      sync.Mutex
	current *http.Transport // nil: the file was never read
	read    version         // the file's version that current was made from
	bad     version         // the file's version that could not be used, which was logged
}

// version identifies a version of the file.
type version struct {
	modified time.Time
	size     int64
}

// RoundTrip implements http.RoundTripper.
func (a *authorities) RoundTrip(req *http.Request) (*http.Response, error) {
	t, err := a.transport()
	if err != nil {
		return nil, err
	}
	return t.RoundTrip(req)
}

// CloseIdleConnections is called by http.Client's method of that name.
func (a *authorities) CloseIdleConnections() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.current != nil {
		a.current.CloseIdleConnections()
	}
}

// transport returns the transport for the file as it is now. It fails only if the
// file has never been usable.
func (a *authorities) transport() (*http.Transport, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now, err := stat(a.options.CAFile)
	if err == nil && a.current != nil && now == a.read {
		return a.current, nil
	}
	var roots *x509.CertPool
	if err == nil {
		roots, err = load(a.options.CAFile)
	}
	switch {
	case err != nil && a.current == nil:
		return nil, err
	case err != nil:
		if now != a.bad {
			a.bad = now
			a.options.Logger.Warn("cannot read the changed file of certificate authorities: the authorities read before stay trusted; correct the file", zap.Error(err))
		}
		return a.current, nil
	}
	if a.current != nil {
		a.current.CloseIdleConnections()
		a.options.Logger.Info("read the changed file of certificate authorities", zap.String("file", a.options.CAFile))
	}
	a.current, a.read, a.bad = a.options.transport(roots), now, version{}
	return a.current, nil
}

func stat(path string) (version, error) {
	info, err := os.Stat(path)
	if err != nil {
		return version{}, fmt.Errorf("read certificate authorities: %w", err)
	}
	return version{info.ModTime(), info.Size()}, nil
}

func load(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path) // the operator's own configuration names the path
	if err != nil {
		return nil, fmt.Errorf("read certificate authorities: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("read certificate authorities: %s has no certificate in PEM form", path)
	}
	return roots, nil
}
