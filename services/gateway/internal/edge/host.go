package edge

import (
	"fmt"
	"net"
	"strings"
)

// parseHost parses an entry of BELFRY_ALLOWED_HOSTS: `host[:port]`, whose host may begin
// with `*.`. Without a port, every port matches. International names are converted to the
// ASCII form that browsers send.
func parseHost(text string) (origin, error) {
	wrong := fmt.Errorf("%q is not a host: write host[:port] as in the Host header, such as tower.example.com, or *.example.com for all names below one", text)
	if strings.ContainsAny(text, "/ @?#") {
		return origin{}, wrong
	}
	rest, below := strings.CutPrefix(text, "*.")
	rest, err := inASCII(rest)
	if err != nil {
		return origin{}, fmt.Errorf("%w: %w", wrong, err)
	}
	host, port := splitHost(rest)
	if host == "" || strings.Contains(rest, "*") || below && net.ParseIP(host) != nil || strings.Contains(host, ":") && net.ParseIP(host) == nil {
		return origin{}, wrong
	}
	if below {
		host = "." + host
	}
	return origin{host: host, port: port, below: below, anyPort: port == ""}, nil
}

// hostAllowed reports whether the Host header names an allowed host. It guards against
// DNS rebinding, where a stranger's name points at this server.
func (e *Edge) hostAllowed(header string) bool {
	if len(e.hosts) == 0 {
		return true
	}
	host, port := splitHost(header)
	for _, allowed := range e.hosts {
		if allowed.matches(origin{host: host, port: port}) {
			return true
		}
	}
	return false
}

// splitHost splits `host[:port]`, also with an IPv6 address, and lower-cases the host.
func splitHost(text string) (host, port string) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		host, port = strings.Trim(text, "[]"), ""
	}
	return strings.ToLower(host), port
}
