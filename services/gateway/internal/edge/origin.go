package edge

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// origin is a web origin (RFC 6454): all three parts are compared.
type origin struct{ scheme, host, port string }

// parseOrigin reads `scheme://host[:port]`; the scheme's own port is filled in.
func parseOrigin(text string) (origin, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Hostname() == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return origin{}, fmt.Errorf("%q is not an origin of the form scheme://host[:port]", text)
	}
	port := u.Port()
	if port == "" {
		port = defaultPort(u.Scheme)
	}
	return origin{strings.ToLower(u.Scheme), strings.ToLower(u.Hostname()), port}, nil
}

func defaultPort(scheme string) string {
	switch strings.ToLower(scheme) {
	case "http", "ws":
		return "80"
	case "https", "wss":
		return "443"
	}
	return ""
}

// originAllowed guards against pages of other sites that use a visitor's
// cookie, or the visitor's place in the network.
func (e *Edge) originAllowed(r *http.Request, shown credentials) bool {
	values := r.Header["Origin"]
	if len(values) == 0 {
		return !shown.ambient() // not a browser, or a token that no page sends by accident
	}
	if len(values) > 1 {
		return false
	}
	if e.anyone {
		return true
	}
	o, err := parseOrigin(values[0])
	if err != nil || (o.scheme != "http" && o.scheme != "https") && len(e.origins) == 0 {
		return false
	}
	if len(e.origins) == 0 {
		host, port := splitHost(r.Host)
		if port == "" {
			port = defaultPort(o.scheme)
		}
		return o.host == host && o.port == port
	}
	for _, allowed := range e.origins {
		if o == allowed {
			return true
		}
	}
	return false
}

// hostAllowed guards against names that were pointed at us (DNS rebinding).
func (e *Edge) hostAllowed(header string) bool {
	if len(e.o.AllowedHosts) == 0 {
		return true
	}
	host, port := splitHost(header)
	for _, allowed := range e.o.AllowedHosts {
		name, wanted := splitHost(allowed)
		if host == name && (wanted == "" || wanted == port) {
			return true
		}
	}
	return false
}

// splitHost splits `host[:port]`, also of IPv6, in lower case.
func splitHost(text string) (host, port string) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		host, port = strings.Trim(text, "[]"), ""
	}
	return strings.ToLower(host), port
}
