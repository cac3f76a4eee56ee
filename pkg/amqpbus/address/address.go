// Package address parses a broker's address, amqp://user:password@host:port/vhost, or
// a list of them for the nodes of a cluster.
//
// AMQP libraries parse addresses differently, so this package and the Python emitter do
// it themselves, in the same way. The tests of both use broker_addresses.json in the
// testdata folder of amqpbus.
//
// No error shows the address or a part of it, because a password that is not
// percent-encoded may end up in any part.
package address

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Address is one broker, one user and one virtual host.
type Address struct {
	TLS      bool
	Host     string // a name in lower case, or an IP address without brackets
	Port     int    // 1 to 65535
	User     string // not empty
	Password string // not empty
	VHost    string // not empty, at most 255 bytes
}

const (
	maxVHostBytes = 255 // a short string of AMQP 0-9-1
	encode        = "percent-encode the special characters of user, password and virtual host"
	form          = "write amqp://user:password@host:5672/" //nolint:gosec // a form, no password
)

var (
	ports = map[string]int{"amqp": 5672, "amqps": 5671}
	// What RFC 3986 allows in a user or password, and a colon that is not the first.
	userinfo     = regexp.MustCompile(`^[A-Za-z0-9\-._~!$&'()*+,;=:@%]*$`)
	server       = regexp.MustCompile(`^([A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]*\])(?::(.*))?$`)
	brokenEscape = regexp.MustCompile(`%(?:$|[^0-9A-Fa-f]|[0-9A-Fa-f](?:$|[^0-9A-Fa-f]))`)
	portDigits   = regexp.MustCompile(`^[0-9]{1,5}$`)
)

// Parse parses an address. User and password default to guest and guest; guest's
// password may be left out. The port defaults to 5672, or 5671 with TLS. The virtual
// host is the decoded text after the slash that follows the host, by default "/". The
// error's text continues the name of a setting and says what to do.
func Parse(text string) (Address, error) {
	if strings.ContainsFunc(text, func(r rune) bool { return r < '!' || r > '~' }) {
		return Address{}, errors.New("holds a space, a control character, or one beyond ASCII: " + encode)
	}
	scheme, rest, found := strings.Cut(text, "://")
	scheme = strings.ToLower(scheme)
	defaultPort, known := ports[scheme]
	if !found || !known {
		return Address{}, errors.New("has another scheme: begin it with amqp:// or amqps://")
	}
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		return Address{}, fmt.Errorf("holds a %q: %s; options behind the virtual host are not taken", rest[i:i+1], encode)
	}
	authority, path, _ := strings.Cut(rest, "/")
	if strings.Contains(path, "@") {
		return Address{}, errors.New(`holds a "/" before an "@": ` + encode)
	}
	if brokenEscape.MatchString(rest) {
		return Address{}, errors.New(`holds a "%" that begins no code: ` + encode)
	}
	a := Address{TLS: scheme == "amqps", User: "guest", Password: "guest"}
	at := strings.LastIndex(authority, "@")
	var err error
	if a.Host, a.Port, err = parseServer(authority[at+1:], defaultPort); err != nil {
		return Address{}, err
	}
	if at >= 0 {
		if a.User, a.Password, err = parseLogin(authority[:at]); err != nil {
			return Address{}, err
		}
	}
	if a.VHost, err = decode(path); err != nil {
		return Address{}, err
	}
	if a.VHost == "" {
		a.VHost = "/"
	}
	if len(a.VHost) > maxVHostBytes {
		return Address{}, fmt.Errorf("has a virtual host of over %d bytes: correct it", maxVHostBytes)
	}
	return a, nil
}

func parseServer(text string, port int) (string, int, error) {
	found := server.FindStringSubmatch(text)
	if found == nil {
		return "", 0, errors.New("has a host of no known form: " + encode)
	}
	host := strings.ToLower(found[1])
	if host == "" {
		return "", 0, errors.New("names no host: " + form)
	}
	if inner, bracketed := strings.CutPrefix(host, "["); bracketed {
		host = strings.TrimSuffix(inner, "]")
		if ip, err := netip.ParseAddr(host); err != nil || !ip.Is6() {
			return "", 0, errors.New("has brackets around what is no IPv6 address: correct the host")
		}
	}
	if found[2] == "" {
		return host, port, nil
	}
	n, err := strconv.Atoi(found[2])
	if !portDigits.MatchString(found[2]) || err != nil || n < 1 || n > 65535 {
		return "", 0, errors.New("has a port that is none: write 1 to 65535; if a password is read as the port, " + encode)
	}
	return host, n, nil
}

func parseLogin(text string) (user, password string, err error) {
	if !userinfo.MatchString(text) {
		return "", "", errors.New("has a user or password with a sign that stands for something else: " + encode)
	}
	user, password, hasPassword := strings.Cut(text, ":")
	if user, err = decode(user); err != nil {
		return "", "", err
	}
	if password, err = decode(password); err != nil {
		return "", "", err
	}
	if user == "" {
		return "", "", errors.New("names no user before the @: " + form)
	}
	if !hasPassword && user == "guest" {
		password = "guest"
	}
	if password == "" {
		return "", "", errors.New("names a user without a password: " + form)
	}
	return user, password, nil
}

func decode(text string) (string, error) {
	decoded, err := url.PathUnescape(text)
	switch {
	case err != nil: // not wrapped: it quotes a piece
		return "", errors.New(`holds a "%" that begins no code: ` + encode)
	case !utf8.ValidString(decoded):
		return "", errors.New("has percent codes that are not UTF-8: " + encode + " as UTF-8")
	case strings.ContainsFunc(decoded, func(r rune) bool { return r < ' ' || r == '\x7f' }):
		return "", errors.New("has the percent code of a control character: correct it")
	}
	return decoded, nil
}

// Endpoint returns host:port, for dialling and for messages.
func (a Address) Endpoint() string { return net.JoinHostPort(a.Host, strconv.Itoa(a.Port)) }

// String returns the address without the password.
func (a Address) String() string { return a.write(url.User(a.User)) }

// Reveal returns the address with the password, in a form that all libraries parse in the
// same way.
func (a Address) Reveal() string { return a.write(url.UserPassword(a.User, a.Password)) }

// GoString keeps the password out of %#v.
func (a Address) GoString() string { return a.String() }

func (a Address) write(login *url.Userinfo) string {
	// QueryEscape encodes all special characters, also @, which PathEscape does not.
	vhost := strings.ReplaceAll(url.QueryEscape(a.VHost), "+", "%20")
	u := url.URL{Scheme: "amqp", User: login, Host: a.Endpoint(), Path: "/" + a.VHost, RawPath: "/" + vhost}
	if a.TLS {
		u.Scheme = "amqps"
	}
	return u.String()
}

// Loopback reports whether the host is localhost or a loopback address.
func (a Address) Loopback() bool {
	ip, err := netip.ParseAddr(a.Host)
	return a.Host == "localhost" || err == nil && ip.IsLoopback()
}
