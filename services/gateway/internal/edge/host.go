package edge

import (
	"fmt"
	"net"
	"strings"
)

// parseHost reads an item of the list of hosts: `host[:port]`, whose host may begin
// with `*.`. Without a port every port is meant. International names become what
// browsers send.
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

// hostAllowed guards against names that were pointed at us (DNS rebinding).
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

// splitHost splits `host[:port]`, also of IPv6, in lower case.
func splitHost(text string) (host, port string) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		host, port = strings.Trim(text, "[]"), ""
	}
	return strings.ToLower(host), port
}
