package edge

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"belfry/services/gateway/internal/connection"
)

func TestAllowedOrigins(t *testing.T) {
	for _, c := range []struct {
		allowed  string
		yes, not []string
	}{
		{"https://tower.example.com", []string{"https://tower.example.com", "HTTPS://Tower.Example.com:443"},
			[]string{"http://tower.example.com", "https://tower.example.com:8443", "https://a.tower.example.com", "https://tower.example.com.evil", "null", "", "https://tower.example.com/"}},
		{"https://*.example.com", []string{"https://a.example.com", "https://a.b.example.com"},
			[]string{"https://example.com", "https://evilexample.com", "https://.example.com", "http://a.example.com", "https://a.example.com:444", "https://a.example.com.evil"}},
		{"http://localhost:*", []string{"http://localhost", "http://localhost:5173"}, []string{"https://localhost:5173", "http://localhost.evil:5173", "http://a.localhost:1"}},
		{"http://*.localhost:*", []string{"http://a.localhost", "http://a.localhost:5173"}, []string{"http://localhost:5173"}},
		{"http://[::1]:*", []string{"http://[::1]:5173"}, []string{"http://[::2]:5173"}},
		{"https://bücher.example", []string{"https://xn--bcher-kva.example"}, []string{"https://bcher.example"}},
		{"https://*.bücher.example:8443", []string{"https://a.xn--bcher-kva.example:8443"}, []string{"https://xn--bcher-kva.example:8443"}},
		{"https://BÜCHER.example", []string{"https://xn--bcher-kva.example"}, nil},
		{"null", []string{"null"}, []string{"https://null", "NULL", "null ", "nulls"}},
		{"file://", []string{"file://"}, []string{"file://host", "null"}},
		{"capacitor://localhost", []string{"capacitor://localhost"}, []string{"capacitor://localhost:1", "ionic://localhost"}},
		{"app://-", []string{"app://-"}, []string{"app://x"}},
	} {
		e := newEdge(t, Options{AllowedOrigins: []string{c.allowed, "https://other.example"}})
		try := func(sent string) bool {
			return e.originAllowed(&http.Request{Host: "elsewhere", Header: http.Header{"Origin": {sent}}}, credentials{cookie: "x"})
		}
		for _, sent := range append(c.yes, "https://other.example") {
			if !try(sent) {
				t.Errorf("%s does not allow %q", c.allowed, sent)
			}
		}
		for _, sent := range c.not {
			if try(sent) {
				t.Errorf("%s allows %q", c.allowed, sent)
			}
		}
	}
}

// TestInvalidLists: they are refused when the gateway starts, and the error says what to
// write instead.
func TestInvalidLists(t *testing.T) {
	refused := func(o Options, text string) {
		t.Helper()
		o.Logger, o.Connections, o.Ready = zap.NewNop(), new(connection.Factory), func() []string { return nil }
		_, err := New(o)
		if err == nil || !strings.Contains(err.Error(), "BELFRY_ALLOWED_") || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{
		"*", "https://*", "https://*example.com", "https://a.*.com", "*://example.com", "https://*.*.com", "https://*.10.0.0.1", "https://example.com:*1",
		"tower.example.com", "https://", "http://:80", "https://tower.example.com/", "https://tower.example.com/path", "https://u@tower.example.com",
		"https://tower.example.com?x", "https://tower.example.com#", "https://-ü-.example", "file://*", "https://:*", "//tower.example.com",
	} {
		refused(Options{AllowedOrigins: []string{"https://a.example", text}}, text)
	}
	for _, text := range []string{"https://tower.example.com", "*", "*example.com", "a.*.com", "tower.example.com/", "*.10.0.0.1", "-ü-.example", "", "a:b:c"} {
		refused(Options{AllowedHosts: []string{"a.example", text}}, text)
	}
}

func TestAllowedHosts(t *testing.T) {
	e := newEdge(t, Options{AllowedHosts: []string{"tower.example.com", "*.apps.example", "bücher.example:8443", "[::1]", "10.0.0.1:80"}})
	for host, want := range map[string]bool{
		"tower.example.com": true, "Tower.Example.com:8043": true, "a.tower.example.com": false, "x.apps.example": true, "apps.example": false,
		"evilapps.example": false, "xn--bcher-kva.example:8443": true, "xn--bcher-kva.example": false, "[::1]": true, "[::1]:8051": true,
		"10.0.0.1:80": true, "10.0.0.1": false, "": false,
	} {
		if e.hostAllowed(host) != want {
			t.Errorf("%q: %t", host, !want)
		}
	}
}

// TestOwnOrigin: without a list of origins the page must come from the websocket's host,
// and over TLS if the websocket uses TLS.
func TestOwnOrigin(t *testing.T) {
	e := newEdge(t, Options{})
	proto := func(name, value string) http.Header { return http.Header{name: {value}} }
	for _, c := range []struct {
		origin, host string
		header       http.Header
		tls, want    bool
	}{
		{origin: "http://tower.example", host: "tower.example", want: true},
		{origin: "https://tower.example", host: "tower.example", want: true}, // a proxy that does not say
		{origin: "http://tower.example:8013", host: "tower.example:8013", want: true},
		{origin: "http://tower.example:5173", host: "tower.example:8051"},
		{origin: "null", host: "tower.example"},
		{origin: "file://", host: ""},
		{origin: "ftp://tower.example", host: "tower.example"},
		{origin: "http://tower.example", host: "tower.example", tls: true},
		{origin: "https://tower.example", host: "tower.example", tls: true, want: true},
		{origin: "http://tower.example", host: "tower.example", header: proto("X-Forwarded-Proto", "https")},
		{origin: "http://tower.example", host: "tower.example", header: proto("X-Forwarded-Proto", "http, HTTPS")},
		{origin: "http://tower.example", host: "tower.example", header: proto("X-Forwarded-Proto", "wss")},
		{origin: "http://tower.example", host: "tower.example", header: proto("Forwarded", `for=1.2.3.4;Proto="https"`)},
		{origin: "http://tower.example", host: "tower.example", header: proto("X-Forwarded-Ssl", "on")},
		{origin: "http://tower.example", host: "tower.example", header: proto("X-Forwarded-Proto", "http"), want: true},
		{origin: "https://tower.example", host: "tower.example", header: proto("X-Forwarded-Proto", "https"), want: true},
		{origin: "https://tower.example:8043", host: "tower.example:8043", header: proto("X-Forwarded-Proto", "https"), want: true},
	} {
		r := &http.Request{Host: c.host, URL: &url.URL{}, Header: http.Header{"Origin": {c.origin}, "Cookie": {"token=x"}}}
		for name, values := range c.header {
			r.Header[name] = values
		}
		if c.tls {
			r.TLS = &tls.ConnectionState{}
		}
		if got := e.originAllowed(r, e.credentials(r)); got != c.want {
			t.Errorf("%+v: %t", c, got)
		}
	}
}

// TestCookieWithoutOriginIsRefused, unless there is also an explicit token.
func TestCookieWithoutOriginIsRefused(t *testing.T) {
	e := newEdge(t, Options{})
	for _, c := range []struct {
		authorization []string
		query         string
		want          bool
	}{
		{nil, "", false}, {[]string{"Bearer"}, "", false}, {[]string{"Bearer "}, "", false}, {[]string{"Bearer \t"}, "", false}, {[]string{"", "bearer"}, "", false},
		{[]string{"Basic eDp5"}, "", false}, {nil, "token=", false}, {[]string{"Bearer abc"}, "", true}, {nil, "token=abc", true}, {[]string{"Bearer", "Bearer abc"}, "", true},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://tower.example/websocket?"+c.query, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"Cookie": {"token=x"}, "Authorization": c.authorization}
		if got := e.originAllowed(r, e.credentials(r)); got != c.want {
			t.Errorf("%q %q: %t", c.authorization, c.query, got)
		}
	}
}

// TestRefusedPagesAreLoggedOnce, with the header's value and the variable's name.
func TestRefusedPagesAreLoggedOnce(t *testing.T) {
	core, logs := observer.New(zap.WarnLevel)
	e := newEdge(t, Options{AllowedHosts: []string{"tower.example"}})
	e.o.Logger = zap.New(core)
	tell := func(origin, host string, bad refusal) {
		e.warn(&http.Request{Host: host, RemoteAddr: "192.0.2.7:1", Header: http.Header{"Origin": {origin}, "X-Forwarded-For": {"203.0.113.9"}}}, bad)
	}
	for range 3 {
		tell("http://localhost:5173", "127.0.0.1:8051", badOrigin)
		tell("http://localhost:5174", "127.0.0.1:8051", badOrigin)
		tell("http://a.example", "evil.example", badHost)
		tell("", "tower.example", addressLimit)
		tell("", "tower.example", badOrigin) // no page
		tell("http://localhost:5173", "127.0.0.1:8051", noToken)
	}
	var got []string
	for _, line := range logs.All() {
		m := line.ContextMap()
		got = append(got, fmt.Sprint(m["variable"], " ", m["origin"], " ", m["host"], " ", m["address"]))
	}
	want := []string{
		"BELFRY_ALLOWED_ORIGINS http://localhost:5173 127.0.0.1:8051 <nil>", "BELFRY_ALLOWED_ORIGINS http://localhost:5174 127.0.0.1:8051 <nil>",
		"BELFRY_ALLOWED_HOSTS <nil> evil.example <nil>", "BELFRY_TRUSTED_PROXIES <nil> <nil> 192.0.2.7",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("logged %q", got)
	}
	for i := range 10 * maxWarnings {
		tell(fmt.Sprint("http://", i, strings.Repeat("x", 10_000)), "h", badOrigin)
	}
	if logs.Len() > maxWarnings {
		t.Errorf("%d lines", logs.Len())
	}
}
