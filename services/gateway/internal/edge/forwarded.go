package edge

import (
	"net/http"
	"net/netip"
	"strings"
)

// remote is the client's address: the socket's, or what the last trusted proxy
// says that it saw. X-Forwarded-For counts where there is one; else Forwarded (RFC
// 7239). Both are read from the right, where the nearest proxy wrote, and no
// further than to the first address that is no trusted proxy's: what is beyond is
// the client's own word. A hop that says no address (`unknown`, `_hidden`, or what
// cannot be read) ends it, too: then it is the proxy that said so who counts.
func (e *Edge) remote(r *http.Request) netip.Addr {
	addr := socketAddr(r.RemoteAddr)
	if !e.trusted(addr) {
		return addr
	}
	hops := xForwardedFor(r.Header.Values("X-Forwarded-For"))
	if len(hops) == 0 {
		hops = forwarded(r.Header.Values("Forwarded"))
	}
	for i := len(hops) - 1; i >= 0; i-- {
		hop, ok := node(hops[i])
		if !ok {
			return addr
		}
		addr = hop
		if !e.trusted(addr) {
			return addr
		}
	}
	return addr
}

// xForwardedFor splits the header, which may come several times; empty places in
// the list are none (RFC 9110 5.6.1).
func xForwardedFor(lines []string) []string {
	var hops []string
	for _, line := range lines {
		for hop := range strings.SplitSeq(line, ",") {
			if hop = strings.Trim(hop, " \t"); hop != "" {
				hops = append(hops, unquote(hop)) // some write Forwarded's form here
			}
		}
	}
	return hops
}

// node reads an address as proxies write it: IPv4 or IPv6, with or without a port,
// IPv6 with or without brackets (RFC 7239 6). Without brackets all of it is the
// address. A zone is of no use here, and a mapped IPv4 address is IPv4.
func node(text string) (netip.Addr, bool) {
	host := text
	switch {
	case strings.HasPrefix(text, "["):
		inside, rest, closed := strings.Cut(text[1:], "]")
		if !closed || rest != "" && (!strings.HasPrefix(rest, ":") || !isPort(rest[1:])) || !strings.Contains(inside, ":") {
			return netip.Addr{}, false
		}
		host = inside
	case strings.Count(text, ":") == 1:
		var port string
		if host, port, _ = strings.Cut(text, ":"); !isPort(port) || !strings.Contains(host, ".") {
			return netip.Addr{}, false
		}
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}, false
	}
	return addr.Unmap().WithZone(""), true
}

// isPort: 1 to 5 digits, or a name that begins with an underscore.
func isPort(text string) bool {
	if name, obfuscated := strings.CutPrefix(text, "_"); obfuscated {
		return name != "" && strings.Trim(name, letters+digits+"._-") == ""
	}
	return text != "" && len(text) <= 5 && strings.Trim(text, digits) == ""
}

const (
	digits  = "0123456789"
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	marks   = "!#$%&'*+-.^_`|~" // RFC 9110 5.6.2
)

// forwarded gives the nodes of a Forwarded header's elements, one for each; an
// element that names none is the empty node. A header that is not of the RFC's
// form has no nodes at all: a quote that a client opened must not hide what a
// proxy wrote behind it.
func forwarded(lines []string) []string {
	var nodes []string
	for _, line := range lines {
		for rest := strings.TrimLeft(line, " \t,"); rest != ""; rest = strings.TrimLeft(rest, " \t,") {
			var of string
			var ok bool
			if of, rest, ok = element(rest); !ok {
				return nil
			}
			nodes = append(nodes, of)
		}
	}
	return nodes
}

// element reads one forwarded-element, up to its comma, and returns its node.
func element(text string) (of, rest string, ok bool) {
	named := false
	for {
		text = strings.TrimLeft(text, " \t")
		switch {
		case text == "" || text[0] == ',':
			return of, text, true
		case text[0] == ';':
			text = text[1:]
			continue
		}
		var name, value string
		if name, value, text, ok = pair(text); !ok {
			return "", "", false
		}
		if strings.EqualFold(name, "for") {
			if named {
				return "", "", false // once in an element, RFC 7239 4
			}
			of, named = value, true
		}
		text = strings.TrimLeft(text, " \t")
		if text != "" && text[0] != ';' && text[0] != ',' {
			return "", "", false
		}
	}
}

// pair reads name=value or name="value". Spaces around the sign, which the RFC does
// not have, are let pass. So are the marks of an address without its quotes.
func pair(text string) (name, value, rest string, ok bool) {
	name, text = span(text, letters+digits+marks)
	text = strings.TrimLeft(text, " \t")
	if name == "" || !strings.HasPrefix(text, "=") {
		return "", "", "", false
	}
	text = strings.TrimLeft(text[1:], " \t")
	if !strings.HasPrefix(text, `"`) {
		value, rest = span(text, letters+digits+marks+":[]/")
		return name, value, rest, value != ""
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '"':
			return name, b.String(), text[i+1:], true
		case '\\':
			if i++; i == len(text) {
				return "", "", "", false
			}
		}
		b.WriteByte(text[i])
	}
	return "", "", "", false // the quote is never closed
}

// span cuts the longest beginning that has only these characters.
func span(text, of string) (begin, rest string) {
	rest = strings.TrimLeft(text, of)
	return text[:len(text)-len(rest)], rest
}
