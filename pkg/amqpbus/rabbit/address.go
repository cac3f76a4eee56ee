package rabbit

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
)

// checkURL refuses what would send a password in the clear, or cannot work. Its
// errors never quote the URL, which holds the password.
func checkURL(o Options) (*url.URL, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, errors.New("BELFRY_AMQP_URL is not a URL: write amqp://user:password@host:5672/")
	}
	if u.Scheme != "amqp" && u.Scheme != "amqps" {
		return nil, fmt.Errorf("BELFRY_AMQP_URL has the scheme %q: use amqp or amqps", u.Scheme)
	}
	if u.Hostname() == "" {
		return nil, errors.New("BELFRY_AMQP_URL has no host: write amqp://user:password@host:5672/")
	}
	if u.User == nil || u.User.Username() == "" {
		return nil, errors.New("BELFRY_AMQP_URL has no user: write amqp://user:password@host:5672/")
	}
	if !isLoopback(u.Hostname()) {
		if u.User.Username() == "guest" {
			return nil, errors.New("the user guest is for loopback only: make a user of its own for BELFRY_AMQP_URL")
		}
		if u.Scheme == "amqp" && !o.Insecure {
			return nil, errors.New("BELFRY_AMQP_URL leaves this host without TLS: use amqps://, or set BELFRY_AMQP_INSECURE=true where the network is trusted")
		}
	}
	return u, nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// tlsConfig is nil for amqp://.
func tlsConfig(o Options, u *url.URL) (*tls.Config, error) {
	if u.Scheme != "amqps" {
		return nil, nil //nolint:nilnil // no TLS is not an error
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: u.Hostname()}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read BELFRY_AMQP_CA_FILE: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("BELFRY_AMQP_CA_FILE %s holds no PEM certificate", o.CAFile)
		}
	}
	if o.CertFile != "" || o.KeyFile != "" {
		pair, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("load BELFRY_AMQP_CERT_FILE and BELFRY_AMQP_KEY_FILE: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
