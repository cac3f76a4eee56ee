package edge

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"

	"belfry/pkg/protocol"
	"belfry/services/gateway/internal/connection"
)

func newEdge(t *testing.T, o Options) *Edge {
	t.Helper()
	o.Logger, o.Connections = zap.NewNop(), new(connection.Factory)
	if o.TokenCookies == nil {
		o.TokenCookies = []string{"token"}
	}
	if o.Ready == nil {
		o.Ready = func() []string { return nil }
	}
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// request makes a valid handshake, changed by fields "Name: value"; "-Name" removes one.
func request(target string, fields ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for _, f := range append([]string{
		"Connection: keep-alive, Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
	}, fields...) {
		name, value, _ := strings.Cut(f, ": ")
		if removed, ok := strings.CutPrefix(name, "-"); ok {
			r.Header.Del(removed)
			continue
		}
		r.Header.Add(name, value)
	}
	return r
}

func TestTokenSources(t *testing.T) {
	e := newEdge(t, Options{})
	for _, c := range []struct {
		name   string
		target string
		fields []string
		want   string // the token
		status int    // or the refusal's
	}{
		{"query", "/websocket?token=abc", nil, "abc", 0},
		{"bearer", "/websocket", []string{"Authorization: Bearer abc"}, "abc", 0},
		{"bearer in capitals", "/websocket", []string{"Authorization: BEARER abc"}, "abc", 0},
		{"another scheme is not for us", "/websocket?token=abc", []string{"Authorization: Basic eA=="}, "abc", 0},
		{"cookie", "/websocket", []string{"Cookie: a=b; token=abc"}, "abc", 0},
		{"cookie in quotes", "/websocket", []string{`Cookie: token="abc"`}, "abc", 0},
		{"cookie in Tower's form", "/websocket", []string{"Cookie: token=%22abc%22"}, "abc", 0},
		{"an empty one is none", "/websocket?token=", []string{"Cookie: token=abc"}, "abc", 0},
		{"the same twice", "/websocket?token=abc", []string{"Authorization: Bearer abc", "Cookie: token=abc"}, "abc", 0},
		{"none", "/websocket", nil, "", 401},
		{"another cookie", "/websocket", []string{"Cookie: token2=abc"}, "", 401},
		{"two different ones", "/websocket?token=abc&token=abd", nil, "", 400},
		{"query and cookie differ", "/websocket?token=abc", []string{"Cookie: token=x"}, "abc", 0},
		{"header and cookie differ", "/websocket", []string{"Authorization: Bearer abc", "Cookie: token=x"}, "abc", 0},
		{"query and header differ", "/websocket?token=abc", []string{"Authorization: Bearer abd"}, "", 400},
		{"query and a cookie that cannot be read", "/websocket?token=abc", []string{"Cookie: token=%zz"}, "abc", 0},
		{"a broken query beside a good cookie", "/websocket?token=%zz", []string{"Cookie: token=abc"}, "", 400},
		{"another parameter is broken", "/websocket?x=100%&token=abc&%zz=1&y=a;b", nil, "abc", 0},
		{"the parameter's name is escaped", "/websocket?%74oken=abc", nil, "abc", 0},
		{"an empty Authorization", "/websocket", []string{"Authorization: Bearer ", "Cookie: token=abc"}, "abc", 0},
		{"a control character", "/websocket?token=a%00b", nil, "", 400},
		{"a space", "/websocket?token=a%20b", nil, "", 400},
		{"not ASCII", "/websocket?token=%C3%A9", nil, "", 400},
		{"a broken escape in the query", "/websocket?token=%zz", nil, "", 400},
		{"a broken escape in the cookie", "/websocket", []string{"Cookie: token=%zz"}, "", 401},
		{"too long", "/websocket?token=" + strings.Repeat("a", 8<<10+1), nil, "", 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, bad, refused := e.token(e.credentials(request(c.target, c.fields...)))
			if refused != (c.status != 0) || bad.status != c.status {
				t.Fatalf("refused %t with %d, want %d", refused, bad.status, c.status)
			}
			if !refused && got.Reveal() != c.want {
				t.Fatalf("got another token than %q", c.want)
			}
			if c.want != "" && strings.Contains(bad.text, c.want) {
				t.Fatalf("the refusal shows the token: %s", bad.text)
			}
		})
	}
}

// numbered returns n header fields with different names.
func numbered(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("X-Field-%d: y", i))
	}
	return out
}

func TestRefusedHandshakes(t *testing.T) {
	for _, c := range []struct {
		name    string
		options Options
		request *http.Request
		status  int
		header  string // that the answer must have
	}{
		{"another path", Options{}, request("/websockets?token=a"), 404, ""},
		{"another method", Options{}, func() *http.Request { r := request("/websocket?token=a"); r.Method = "POST"; return r }(), 405, "Allow"},
		{"no Upgrade", Options{}, request("/websocket?token=a", "-Upgrade"), 426, "Upgrade"},
		{"Connection without upgrade", Options{}, request("/websocket?token=a", "-Connection", "Connection: close"), 426, "Upgrade"},
		{"HTTP/1.0", Options{}, func() *http.Request {
			r := request("/websocket?token=a")
			r.ProtoMajor, r.ProtoMinor = 1, 0
			return r
		}(), 426, ""},
		{"version 8", Options{}, request("/websocket?token=a", "-Sec-WebSocket-Version", "Sec-WebSocket-Version: 8"), 426, "Sec-WebSocket-Version"},
		{"two keys", Options{}, request("/websocket?token=a", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), 400, ""},
		{"a short key", Options{}, request("/websocket?token=a", "-Sec-WebSocket-Key", "Sec-WebSocket-Key: c2hvcnQ="), 400, ""},
		{"a host that is not served", Options{AllowedHosts: []string{"tower.example"}}, request("http://evil.example/websocket?token=a"), 421, ""},
		{"a foreign origin", Options{}, request("/websocket?token=a", "Origin: https://evil.example"), 403, ""},
		{"101 fields", Options{}, request("/websocket?token=a", numbered(101-4)...), 431, ""},
		{"101 fields, most of one name", Options{}, request("/websocket?token=a", slices.Repeat([]string{"X-Many: y"}, 101-4)...), 431, ""},
		{"100 fields are not too many", Options{}, request("/websocket", numbered(100-4)...), 401, ""},
		{"not ready", Options{Ready: func() []string { return []string{"the broker is away"} }}, request("/websocket?token=a"), 503, "Retry-After"},
		{"no token", Options{}, request("/websocket"), 401, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer := httptest.NewRecorder()
			newEdge(t, c.options).ServeHTTP(answer, c.request)
			if answer.Code != c.status {
				t.Fatalf("HTTP %d %s, want %d", answer.Code, answer.Body, c.status)
			}
			if c.header != "" && answer.Header().Get(c.header) == "" {
				t.Errorf("the answer has no %s", c.header)
			}
			if !strings.Contains(answer.Body.String(), `"error"`) {
				t.Errorf("the body is %s", answer.Body)
			}
		})
	}
}

func TestDrainRefuses(t *testing.T) {
	e := newEdge(t, Options{})
	e.Drain()
	answer := httptest.NewRecorder()
	e.ServeHTTP(answer, request("/websocket?token=a"))
	if answer.Code != 503 || answer.Header().Get("Retry-After") == "" {
		t.Errorf("HTTP %d, Retry-After %q", answer.Code, answer.Header().Get("Retry-After"))
	}
}

func TestOrigins(t *testing.T) {
	listed := []string{"https://tower.example", "http://127.0.0.1:8013"}
	for _, c := range []struct {
		allowed []string
		host    string
		fields  []string
		want    bool
	}{
		{nil, "tower.example", []string{"Origin: https://tower.example"}, true},
		{nil, "tower.example:443", []string{"Origin: https://TOWER.example"}, true},
		{nil, "tower.example:8043", []string{"Origin: https://tower.example:8043"}, true},
		{nil, "tower.example", []string{"Origin: https://tower.example:8043"}, false},
		{nil, "[::1]:8051", []string{"Origin: http://[::1]:8051"}, true},
		{nil, "tower.example", []string{"Origin: https://tower.example.evil.example"}, false},
		{nil, "tower.example", []string{"Origin: https://user@tower.example"}, false},
		{nil, "tower.example", []string{"Origin: https://tower.example/path"}, false},
		{nil, "tower.example", []string{"Origin: file://tower.example"}, false},
		{nil, "tower.example", []string{"Origin: null"}, false},
		{nil, "tower.example", []string{"Origin: https://tower.example", "Origin: https://tower.example"}, false},
		{nil, "tower.example", []string{"Authorization: Bearer a"}, true},
		{nil, "tower.example", []string{"Cookie: token=a"}, false},
		{nil, "tower.example", []string{"Cookie: token=a", "Authorization: Bearer "}, false},
		{nil, "tower.example", []string{"Cookie: token=a", "Authorization: Bearer a"}, true},
		{nil, "tower.example", []string{"Cookie: token=a", "Sec-WebSocket-Protocol: bearer, a"}, true},
		{nil, "tower.example", []string{"Cookie: token=a", "Sec-WebSocket-Protocol: belfry"}, false},
		{nil, "tower.example", []string{"Cookie: other=a", "Authorization: Bearer a"}, true},
		{listed, "10.0.0.1", []string{"Origin: https://tower.example"}, true},
		{listed, "10.0.0.1", []string{"Origin: https://tower.example:443"}, true},
		{listed, "10.0.0.1", []string{"Origin: http://tower.example"}, false},
		{listed, "10.0.0.1", []string{"Origin: http://127.0.0.1:8013"}, true},
		{listed, "10.0.0.1", []string{"Origin: http://10.0.0.1"}, false},
		{[]string{"*"}, "10.0.0.1", []string{"Origin: https://anywhere.example"}, true},
	} {
		t.Run(fmt.Sprint(c.allowed, " ", c.host, " ", c.fields), func(t *testing.T) {
			r := request("/websocket", c.fields...)
			r.Host = c.host
			e := newEdge(t, Options{AllowedOrigins: c.allowed})
			if got := e.originAllowed(r, e.credentials(r)); got != c.want {
				t.Errorf("allowed: %t", got)
			}
		})
	}
}

func TestInvalidOptions(t *testing.T) {
	for _, o := range []Options{{AllowedOrigins: []string{"tower.example"}}, {MaxConnections: -1}, {HandshakeRate: -1}, {RetryAfter: 1}} {
		o.Logger, o.Connections, o.Ready = zap.NewNop(), new(connection.Factory), func() []string { return nil }
		if _, err := New(o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}

// TestClientAddress: forwarding headers are read from the right and believed only from
// trusted proxies.
func TestClientAddress(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.1/32")}
	for _, c := range []struct{ socket, forwarded, want string }{
		{"127.0.0.1:5", "203.0.113.9", "203.0.113.9"},
		{"127.0.0.1:5", "198.51.100.1, 203.0.113.9", "203.0.113.9"},
		{"127.0.0.1:5", "198.51.100.1, 203.0.113.9, 10.1.2.3", "203.0.113.9"},
		{"127.0.0.1:5", "nonsense, 10.1.2.3", "10.1.2.3"},
		{"127.0.0.1:5", "", "127.0.0.1"},
		{"203.0.113.7:5", "198.51.100.1", "203.0.113.7"},
		{"[::ffff:203.0.113.7]:5", "198.51.100.1", "203.0.113.7"},
		{"127.0.0.1:5", "2001:db8::1", "2001:db8::1"},
	} {
		r := request("/websocket")
		r.RemoteAddr = c.socket
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if got := newEdge(t, Options{TrustedProxies: proxies}).remote(r); got.String() != c.want {
			t.Errorf("%s, %q: %s, want %s", c.socket, c.forwarded, got, c.want)
		}
	}
}

func TestSlots(t *testing.T) {
	s := newSlots(Options{MaxConnections: 5, MaxPerUser: 2, MaxPerAddress: 3})
	one, six := netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("2001:db8:0:1::1")
	var held []*slot
	for range 3 {
		slot, _, refused := s.acquire(one)
		if refused {
			t.Fatal("refused below the limit")
		}
		held = append(held, slot)
	}
	if _, why, refused := s.acquire(one); !refused || why != addressLimit {
		t.Errorf("the fourth of one address: %+v", why)
	}
	for _, last := range []string{"2001:db8:0:1::2", "2001:db8:0:1:ffff::"} { // one client's network
		if slot, _, refused := s.acquire(netip.MustParseAddr(last)); refused {
			t.Fatal("refused below the limit")
		} else {
			held = append(held, slot)
		}
	}
	if _, why, refused := s.acquire(six); !refused || why != processLimit {
		t.Errorf("the sixth: %+v", why)
	}
	if !held[0].acquireUser("7") || !held[1].acquireUser("7") || held[2].acquireUser("7") {
		t.Error("a user has two, and no third")
	}
	for _, slot := range held {
		slot.release()
		slot.release() // once is enough
	}
	if s.all != 0 || len(s.users) != 0 || len(s.addresses) != 0 {
		t.Errorf("left: %d, %v, %v", s.all, s.users, s.addresses)
	}
}

func TestTokenIsNeverShown(t *testing.T) {
	if text := fmt.Sprintf("%v %+v %s %#v", protocol.NewToken("secret"), protocol.NewToken("secret"), protocol.NewToken("secret"), protocol.NewToken("secret")); strings.Contains(text, "secret") {
		t.Error(text)
	}
}
