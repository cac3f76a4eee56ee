package outbound

import (
	"errors"
	"net"
	"net/url"
)

// CheckURL returns nil for an https address, for plain http to a loopback address and, with
// insecure, for plain http to any host. Its errors say what to write instead; the caller adds
// the name of the setting.
func CheckURL(text string, insecure bool) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "":
		return errors.New("it is not an address such as https://issuer.example.org/keys")
	case u.User != nil:
		return errors.New("it must not carry a user or password")
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && (insecure || loopback(u.Hostname())):
		return nil
	case u.Scheme == "http":
		return ErrPlain
	}
	return errors.New("it must be https, or http on a loopback address")
}

// ErrPlain is CheckURL's error for plain http to another host.
var ErrPlain = errors.New("it must be https, because plain http to another host can be read and changed on the way")

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// Host returns the host of an address, for logs. The path or query, which may contain a
// secret, is left out.
func Host(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Host
}
