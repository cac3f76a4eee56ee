package rabbit

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"belfry/pkg/amqpbus/address"
)

// parse refuses what would send a password in the clear, or cannot work. Its
// errors never quote the address, which holds the password.
func parse(o Options) (address.Address, error) {
	target, err := address.Parse(o.URL)
	switch {
	case err != nil:
		return target, fmt.Errorf("BELFRY_AMQP_URL %w", err)
	case target.Loopback():
		return target, nil
	case target.User == "guest":
		return target, errors.New("the user guest is for loopback only: make a user of its own for BELFRY_AMQP_URL")
	case !target.TLS && !o.Insecure:
		return target, errors.New("BELFRY_AMQP_URL leaves this host without TLS: use amqps://, or set BELFRY_AMQP_INSECURE=true where the network is trusted")
	}
	return target, nil
}

// tlsConfig is nil without TLS.
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
