package edge

import (
	"net/http"
	"net/netip"
	"testing"
)

// behind makes an Edge that trusts two networks of proxies.
func behind() *Edge {
	return &Edge{o: Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}}}
}

const (
	proxy  = "10.0.0.1"
	client = "203.0.113.9"
	six    = "2001:db8::9"
)

// TestClientBehindProxies: every form in which a proxy reports the client's address, and
// malformed ones.
func TestClientBehindProxies(t *testing.T) {
	e := behind()
	xff := func(lines ...string) http.Header { return http.Header{"X-Forwarded-For": lines} }
	rfc := func(lines ...string) http.Header { return http.Header{"Forwarded": lines} }
	for _, c := range []struct {
		name   string
		header http.Header
		want   string
	}{
		{"nothing", nil, proxy},
		{"an address", xff("203.0.113.9"), client},
		{"spaces", xff(" \t203.0.113.9\t "), client},
		{"a port, as Azure and AWS send it", xff("203.0.113.9:4711"), client},
		{"a port beside spaces", xff("198.51.100.1:80 ,  203.0.113.9:65535 "), client},
		{"IPv6", xff("2001:db8::9"), six},
		{"IPv6 in brackets", xff("[2001:db8::9]"), six},
		{"IPv6 in brackets with a port", xff("[2001:db8::9]:443"), six},
		{"IPv6 in quotes, with a port", xff(`"[2001:db8::9]:443"`), six},
		{"IPv6 with a zone", xff("fe80::1%eth0"), "fe80::1"},
		{"a mapped address", xff("::ffff:203.0.113.9"), client},
		{"a mapped address with a port", xff("[::ffff:203.0.113.9]:1"), client},
		{"a chain", xff("198.51.100.7, 203.0.113.9, 10.0.0.2, 10.0.0.3"), client},
		{"a chain with ports", xff("198.51.100.7:1, 203.0.113.9:2, 10.0.0.2:3, [fd00::1]:4"), client},
		{"a chain in two headers", xff("198.51.100.7", "203.0.113.9, 10.0.0.2"), client},
		{"empty places", xff(",, 203.0.113.9:1 , ,"), client},
		{"proxies alone", xff("10.0.0.5, 10.0.0.6"), "10.0.0.5"},
		{"unknown", xff("198.51.100.7, unknown"), proxy},
		{"unknown behind a proxy", xff("unknown, 10.0.0.6"), "10.0.0.6"},
		{"nonsense", xff("198.51.100.7, <script>"), proxy},
		{"a host name", xff("client.example:80"), proxy},
		{"a port of no number", xff("203.0.113.9:http"), proxy},
		{"a port too long", xff("203.0.113.9:123456"), proxy},
		{"a bracket that is not closed", xff("[2001:db8::9"), proxy},
		{"something behind the bracket", xff("[2001:db8::9]443"), proxy},
		{"brackets around IPv4", xff("[203.0.113.9]"), proxy},

		{"RFC 7239", rfc("for=203.0.113.9"), client},
		{"RFC 7239, any case", rfc("For=203.0.113.9;Proto=https;BY=10.0.0.1"), client},
		{"RFC 7239, for is not the first", rfc(`proto=https;host="a,b;c";for=203.0.113.9`), client},
		{"RFC 7239, quoted", rfc(`for="203.0.113.9:4711"`), client},
		{"RFC 7239, IPv6", rfc(`for="[2001:db8::9]"`), six},
		{"RFC 7239, IPv6 with a port", rfc(`for="[2001:db8::9]:4711";proto=http`), six},
		{"RFC 7239, an escape", rfc(`for="203.0.113\.9"`), client},
		{"RFC 7239, an obfuscated port", rfc(`for="203.0.113.9:_p-1.x"`), client},
		{"RFC 7239, without its quotes", rfc("for=[2001:db8::9]:80"), six},
		{"RFC 7239, a port without its quotes", rfc("for=203.0.113.9:80"), client},
		{"RFC 7239, a chain", rfc("for=198.51.100.7, for=203.0.113.9;by=x , for=10.0.0.2"), client},
		{"RFC 7239, a chain in two headers", rfc("for=198.51.100.7,for=203.0.113.9", "for=10.0.0.2"), client},
		{"RFC 7239, spaces", rfc(" for = 203.0.113.9 ; proto=https , "), client},
		{"RFC 7239, empty pairs", rfc(";;for=203.0.113.9;"), client},
		{"RFC 7239, unknown", rfc("for=198.51.100.7, for=unknown"), proxy},
		{"RFC 7239, obfuscated", rfc("for=198.51.100.7, for=_hidden"), proxy},
		{"RFC 7239, nobody", rfc("for=198.51.100.7, proto=https"), proxy},
		{"RFC 7239, twice", rfc("for=198.51.100.7;for=203.0.113.9"), proxy},
		{"RFC 7239, a client's open quote", rfc(`for="198.51.100.7, for=203.0.113.9`), proxy},
		{"RFC 7239, a client's open quote that a proxy's closes", rfc(`for="x, for="[2001:db8::9]:1"`), proxy},
		{"RFC 7239, ends in an escape", rfc(`for="203.0.113.9\`), proxy},
		{"RFC 7239, no name", rfc("=203.0.113.9"), proxy},
		{"RFC 7239, no value", rfc("for="), proxy},

		{"both", http.Header{"X-Forwarded-For": {"203.0.113.9:1"}, "Forwarded": {"for=198.51.100.7"}}, client},
		{"both, one of them empty", http.Header{"X-Forwarded-For": {""}, "Forwarded": {"for=203.0.113.9"}}, client},
		{"others' headers", http.Header{"X-Real-Ip": {"203.0.113.9"}, "X-Client-Ip": {"203.0.113.9"}}, proxy},
	} {
		r := &http.Request{RemoteAddr: proxy + ":1234", Header: c.header}
		if got := e.remote(r).String(); got != c.want {
			t.Errorf("%s: %q is %s, want %s", c.name, c.header, got, c.want)
		}
		r.RemoteAddr = "198.51.100.200:1234"
		if got := e.remote(r).String(); got != "198.51.100.200" {
			t.Errorf("%s: a stranger is believed: %s", c.name, got)
		}
	}
}

// FuzzForwarded: whatever a client sends first, the result is what the proxy appended, or
// the proxy's own address.
func FuzzForwarded(f *testing.F) {
	for _, seed := range []string{"for=1.2.3.4", `for="[::1]:80"`, `for="x`, `for="\`, "unknown", ",;=", "1.2.3.4:5, x"} {
		f.Add(seed)
	}
	e := behind()
	f.Fuzz(func(t *testing.T, claim string) {
		for name, word := range map[string]string{"X-Forwarded-For": client + ":80", "Forwarded": `for="` + client + `:80"`} {
			r := &http.Request{RemoteAddr: proxy + ":1", Header: http.Header{name: {claim + ", " + word}}}
			if got := e.remote(r).String(); got != client && got != proxy {
				t.Errorf("%s: %q, %q: %s", name, claim, word, got)
			}
			r.Header[name] = []string{claim, word}
			if got := e.remote(r).String(); got != client && got != proxy {
				t.Errorf("%s: %q and %q: %s", name, claim, word, got)
			}
		}
	})
}
