package outbound

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"go.uber.org/zap"
)

// Options of NewClient.
type Options struct {
	Timeout  time.Duration // of one request, from the dial to the last byte; required
	Parallel int           // most connections to one host; zero: 32
	// CAFile is a PEM file with the certificate authorities to trust instead of the
	// system's. It is read again when it changes. Empty: the system's authorities, which
	// SSL_CERT_FILE and SSL_CERT_DIR can replace.
	CAFile string
	// Proxied makes the client use the proxy that HTTPS_PROXY, HTTP_PROXY and
	// NO_PROXY name.
	Proxied bool
	Logger  *zap.Logger // nil: nothing is logged
}

// NewClient makes a client. It fails only if CAFile cannot be used, and the error names the
// file.
func NewClient(o Options) (*http.Client, error) {
	if o.Parallel <= 0 {
		o.Parallel = 32
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	var trip http.RoundTripper = o.transport(nil)
	if o.CAFile != "" {
		a := &authorities{options: o}
		if _, err := a.transport(); err != nil {
			return nil, err
		}
		trip = a
	}
	return &http.Client{
		Transport:     trip,
		Timeout:       o.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// transport makes a transport that trusts roots; nil: the system's authorities.
func (o Options) transport(roots *x509.CertPool) *http.Transport {
	t := &http.Transport{
		MaxIdleConnsPerHost:    o.Parallel,
		MaxConnsPerHost:        o.Parallel,
		IdleConnTimeout:        30 * time.Second,
		TLSHandshakeTimeout:    o.Timeout,
		ResponseHeaderTimeout:  o.Timeout,
		MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2:      true,
		TLSClientConfig:        tlsConfig(roots),
	}
	if o.Proxied {
		t.Proxy = http.ProxyFromEnvironment
	}
	return t
}

// Answer is a complete answer with status 200.
type Answer struct {
	Body []byte
	Kind string // the Content-Type, as the server sent it
}

// Fetch sends the request and returns the answer. Any status but 200, and a body of more than
// most bytes, is an error. Errors name the host; they contain nothing of the address's path
// and query, nor of the request's body.
func Fetch(ctx context.Context, client *http.Client, req *http.Request, most int) (Answer, error) {
	resp, err := client.Do(req.WithContext(ctx)) //nolint:gosec // G704: the operator's own configuration names the address
	if err != nil {
		var whole *url.Error // it quotes the address, whose query may contain a secret
		if errors.As(err, &whole) {
			err = whole.Err
		}
		return Answer{}, fmt.Errorf("ask %s: %w", req.URL.Host, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return Answer{}, fmt.Errorf("ask %s: it answered with status %d instead of 200", req.URL.Host, resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(most)+1))
	if err != nil {
		return Answer{}, fmt.Errorf("read the answer of %s: %w", req.URL.Host, err)
	}
	if len(body) > most {
		return Answer{}, fmt.Errorf("read the answer of %s: it is larger than %d bytes", req.URL.Host, most)
	}
	return Answer{Body: body, Kind: resp.Header.Get("Content-Type")}, nil
}
