package edge

import (
	"net/http"
	"net/netip"
	"strings"
)

// remote returns the client's address: the socket's or, if that is a trusted proxy's, the
// one that the proxy reports in X-Forwarded-For or, without that header, in Forwarded
// (RFC 7239). Both are read from the right, where the nearest proxy wrote, up to the first
// address that is not a trusted proxy's: entries further left were not written by a
// trusted proxy. An entry without an address (`unknown`, `_hidden`, or unreadable) ends
// the search, too; the result is then the address of the proxy that wrote it.
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

// xForwardedFor splits the header, which may occur several times, into its entries. Empty
// list elements are ignored (RFC 9110 5.6.1).
func xForwardedFor(lines []string) []string {
	var hops []string
	for _, line := range lines {
		for hop := range strings.SplitSeq(line, ",") {
			if hop = strings.Trim(hop, " \t"); hop != "" {
				hops = append(hops, unquote(hop)) // some proxies quote it, as in Forwarded
			}
		}
	}
	return hops
}

// node parses an address as proxies write it: IPv4 or IPv6, with or without a port, IPv6
// with or without brackets (RFC 7239 6). An IPv6 address without brackets has no port. A
// zone is removed, and an IPv4-mapped address becomes IPv4.
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

// isPort reports whether text is 1 to 5 digits, or an obfuscated port, which begins with
// an underscore (RFC 7239 6.2).
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

// forwarded returns the node of each element of a Forwarded header; it is empty for an
// element that names none. A malformed header has no nodes at all: a quote that a client
// opened must not hide what a proxy wrote after it.
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

// element parses one forwarded-element, up to its comma, and returns its node.
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
				return "", "", false // at most once in an element, RFC 7239 4
			}
			of, named = value, true
		}
		text = strings.TrimLeft(text, " \t")
		if text != "" && text[0] != ';' && text[0] != ',' {
			return "", "", false
		}
	}
}

// pair parses name=value or name="value". It also accepts two things that the RFC does
// not: spaces around the equals sign, and an address with ":", "[" or "]" without quotes.
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

// span splits text after the longest prefix that consists of the given characters.
func span(text, of string) (begin, rest string) {
	rest = strings.TrimLeft(text, of)
	return text[:len(text)-len(rest)], rest
}
