package rabbit

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"belfry/pkg/amqpbus/address"
)

// parse parses the addresses. It refuses those with which the password would be sent without
// TLS, and files that cannot be used. Its errors never quote the addresses, which contain the
// password.
func parse(o Options) ([]address.Address, error) {
	targets, err := address.ParseList(o.URL)
	if err != nil {
		return nil, fmt.Errorf("BELFRY_AMQP_URL %w", err)
	}
	for _, target := range targets {
		switch {
		case target.Loopback():
		case target.User == "guest":
			return nil, errors.New("RabbitMQ accepts the user guest from its own host only: create a user for Belfry and put it into BELFRY_AMQP_URL")
		case !target.TLS && !o.Insecure:
			return nil, errors.New("BELFRY_AMQP_URL leads to another host without TLS: use amqps://, or set BELFRY_AMQP_INSECURE=true where the network is trusted")
		}
		if _, err := tlsConfig(o, target); err != nil {
			return nil, err
		}
	}
	return targets, nil
}

// tlsConfig returns nil without TLS. It reads the files each time, so that the next connection
// uses a renewed certificate.
func tlsConfig(o Options, target address.Address) (*tls.Config, error) {
	if !target.TLS {
		return nil, nil //nolint:nilnil // no TLS is not an error
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: target.Host}
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
