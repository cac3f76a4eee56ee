package edge

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/idna"
)

// origin is a web origin (RFC 6454), of which all three parts are compared, or a pattern of
// an allow-list.
type origin struct {
	scheme, host, port string
	below              bool // pattern: host is the suffix, with its dot, that names must have
	anyPort            bool // pattern: every port matches
}

// opaque is the origin `null`, which a browser sends for pages without an origin: files,
// data URLs and sandboxed frames.
var opaque = origin{scheme: "null"}

// parseOrigin parses what a browser sends: `scheme://host[:port]`, `null`, or a scheme
// without a host, as desktop applications built on a browser send it (`file://`). If there
// is no port, it fills in the scheme's.
func parseOrigin(text string) (origin, error) {
	if text == "null" {
		return opaque, nil
	}
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Scheme == "", u.Opaque != "", u.User != nil, u.Path != "", u.RawQuery != "", u.Fragment != "",
		!strings.Contains(text, "://"), strings.HasSuffix(text, "?"), strings.HasSuffix(text, "#"),
		u.Hostname() == "" && (u.Host != "" || isWeb(u.Scheme)):
		return origin{}, fmt.Errorf("%q is not an origin of the form scheme://host[:port]", text)
	}
	port := u.Port()
	if port == "" {
		port = defaultPort(u.Scheme)
	}
	return origin{scheme: strings.ToLower(u.Scheme), host: strings.ToLower(u.Hostname()), port: port}, nil
}

// parseAllowed parses an entry of BELFRY_ALLOWED_ORIGINS: an origin whose host may begin
// with `*.` and whose port may be `*`. International names are converted to the ASCII form
// that browsers send.
func parseAllowed(text string) (origin, error) {
	switch text {
	case "*":
		return origin{}, errors.New("* allows every origin, so it must be the only entry: remove it, or remove the others")
	case "null":
		return opaque, nil
	}
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		return origin{}, fmt.Errorf("%q is not an origin: write scheme://host[:port], such as https://tower.example.com", text)
	}
	rest, anyPort := strings.CutSuffix(rest, ":*")
	rest, below := strings.CutPrefix(rest, "*.")
	if strings.Contains(scheme+rest, "*") {
		return origin{}, fmt.Errorf("%q has a * in a place where it is not supported: write https://*.example.com for all subdomains, https://host:* for every port", text)
	}
	rest, err := inASCII(rest)
	if err != nil {
		return origin{}, fmt.Errorf("%q has an invalid host name: %w", text, err)
	}
	o, err := parseOrigin(scheme + "://" + rest)
	if err != nil {
		return origin{}, fmt.Errorf("%q is not an origin: write scheme://host[:port] and nothing after it, such as https://tower.example.com", text)
	}
	if o.host == "" && (below || anyPort) || below && net.ParseIP(o.host) != nil {
		return origin{}, fmt.Errorf("%q uses * without a host name: write https://*.example.com for subdomains, https://host:* for every port", text)
	}
	if below {
		o.host = "." + o.host
	}
	o.below, o.anyPort = below, anyPort
	return o, nil
}

// inASCII converts `host[:port]` to the form that a browser sends (RFC 5891).
func inASCII(hostport string) (string, error) {
	for i := 0; i < len(hostport); i++ {
		if hostport[i] >= 0x80 {
			host, port, hasPort := strings.Cut(hostport, ":")
			host, err := idna.Lookup.ToASCII(host)
			if hasPort {
				host += ":" + port
			}
			return host, err
		}
	}
	return hostport, nil
}

// matches reports whether o, an entry of an allow-list, matches what a browser sent.
func (o origin) matches(sent origin) bool {
	return o.scheme == sent.scheme && (o.anyPort || o.port == sent.port) &&
		(!o.below && o.host == sent.host || o.below && strings.HasSuffix(sent.host, o.host) && len(sent.host) > len(o.host))
}

func isWeb(scheme string) bool { return defaultPort(scheme) != "" }

func defaultPort(scheme string) string {
	switch strings.ToLower(scheme) {
	case "http", "ws":
		return "80"
	case "https", "wss":
		return "443"
	}
	return ""
}

// originAllowed reports whether the request's Origin is allowed. It guards against pages
// of other sites that use a visitor's cookie, or the visitor's place in the network.
func (e *Edge) originAllowed(r *http.Request, shown credentials) bool {
	values := r.Header["Origin"]
	if len(values) == 0 {
		return !shown.ambient() // not a browser, or a token that a page has to add on purpose
	}
	if len(values) > 1 {
		return false
	}
	if e.anyone {
		return true
	}
	sent, err := parseOrigin(values[0])
	if err != nil {
		return false
	}
	if len(e.origins) == 0 {
		return ownOrigin(sent, r)
	}
	for _, allowed := range e.origins {
		if allowed.matches(sent) {
			return true
		}
	}
	return false
}

// ownOrigin reports whether the page comes from the host that the request was sent to. If
// the request came over TLS, a page that was loaded without TLS does not count: anybody
// between the visitor and the site could have forged it.
func ownOrigin(sent origin, r *http.Request) bool {
	if sent.scheme != "http" && sent.scheme != "https" || sent.scheme == "http" && overTLS(r) {
		return false
	}
	host, port := splitHost(r.Host)
	if port == "" {
		port = defaultPort(sent.scheme)
	}
	return sent.host == host && sent.port == port
}

// overTLS reports whether the client used TLS, either to this server or to a proxy that
// says so in a header. The header is believed from anybody, because it can only make the
// check stricter, and a page cannot make a browser send it.
func overTLS(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	for _, line := range r.Header["X-Forwarded-Proto"] {
		for proto := range strings.SplitSeq(line, ",") {
			if proto = strings.ToLower(strings.TrimSpace(proto)); proto == "https" || proto == "wss" {
				return true
			}
		}
	}
	for _, line := range r.Header["Forwarded"] {
		if line = strings.ToLower(line); strings.Contains(line, "proto=https") || strings.Contains(line, `proto="https"`) {
			return true
		}
	}
	return strings.EqualFold(r.Header.Get("X-Forwarded-Ssl"), "on") || strings.EqualFold(r.Header.Get("Front-End-Https"), "on")
}
