package edge

import (
	"encoding/base64"
	"strings"
	"testing"
)

// TestCookies: malformed cookies are skipped; of several valid ones the first with the
// first configured name is used.
func TestCookies(t *testing.T) {
	long := strings.Repeat("a", 8<<10+1)
	for _, c := range []struct {
		names  []string
		lines  []string
		want   string
		status int
	}{
		{[]string{"token"}, []string{"token=abc"}, "abc", 0},
		{[]string{"token"}, []string{"token=abc; token=abd"}, "abc", 0},
		{[]string{"token"}, []string{"token=%zz; token=abd"}, "abd", 0},
		{[]string{"token"}, []string{"token=%zz", "token=abd"}, "abd", 0},
		{[]string{"token"}, []string{"token=; token=abd"}, "abd", 0},
		{[]string{"token"}, []string{`token=""; token="abd"`}, "abd", 0},
		{[]string{"token"}, []string{"token; token=abd"}, "abd", 0},
		{[]string{"token"}, []string{"token=" + long + "; token=abd"}, "abd", 0},
		{[]string{"token"}, []string{"token=a b; token=abd"}, "abd", 0},
		{[]string{"token"}, []string{"token=a%00b; token=abd"}, "abd", 0},
		{[]string{"token"}, []string{"token=%C3%A9; token=abd"}, "abd", 0},
		{[]string{"token"}, []string{"token=\x80; token=abd"}, "abd", 0},
		{[]string{"token"}, []string{";;=x; =; token=abd;"}, "abd", 0},
		{[]string{"token"}, []string{"token = abd"}, "abd", 0},
		{[]string{"token"}, []string{"a=1;token=abd"}, "abd", 0},
		{[]string{"token"}, []string{"token=a=b=="}, "a=b==", 0},
		{[]string{"token"}, []string{"Token=abc; xtoken=abc; token2=abc"}, "", 401},
		{[]string{"token"}, []string{"token=%zz"}, "", 401},
		{[]string{"token"}, []string{`token="abc`}, `"abc`, 0},
		{[]string{"sessionid", "awx_sessionid"}, []string{"awx_sessionid=two; token=no; sessionid=one"}, "one", 0},
		{[]string{"sessionid", "awx_sessionid"}, []string{"sessionid=%zz; awx_sessionid=two"}, "two", 0},
		{[]string{"sessionid"}, []string{"token=abc"}, "", 401},
		{[]string{}, []string{"token=abc"}, "", 401},
	} {
		var fields []string
		for _, l := range c.lines {
			fields = append(fields, "Cookie: "+l)
		}
		e := newEdge(t, Options{TokenCookies: c.names})
		got, bad, _ := e.token(e.credentials(request("/websocket", fields...)))
		if got.Reveal() != c.want || bad.status != c.status {
			t.Errorf("%q of %.80q: got %.80q, %d; want %q, %d", c.names, c.lines, got.Reveal(), bad.status, c.want, c.status)
		}
	}
}

// TestSubprotocols: a list of subprotocols gives a token and the name to agree to.
func TestSubprotocols(t *testing.T) {
	kubernetes := func(token string) string {
		return kubernetesToken + base64.RawURLEncoding.EncodeToString([]byte(token))
	}
	const cookie = "of-the-cookie"
	odd := "a+b/c=?~" + string([]byte{0x3e, 0x3f}) // its base64 has + and /
	for _, c := range []struct {
		lines  []string
		target string
		token  string
		agreed string
		status int
	}{
		{nil, "/websocket?token=abc", "abc", "", 0},
		{[]string{""}, "/websocket?token=abc", "abc", "", 0},
		{[]string{"belfry"}, "/websocket?token=abc", "abc", "belfry", 0},
		{[]string{"graphql-ws, mqtt"}, "/websocket?token=abc", "abc", "graphql-ws", 0},
		{[]string{"mqtt", "graphql-ws"}, "/websocket?token=abc", "abc", "mqtt", 0},
		{[]string{" , ,\tmqtt ,"}, "/websocket?token=abc", "abc", "mqtt", 0},
		{[]string{`"quoted", a/b, mqtt`}, "/websocket?token=abc", "abc", "mqtt", 0},
		{[]string{"mqtt, mqtt"}, "/websocket?token=abc", "abc", "mqtt", 0},
		{[]string{"bearer"}, "/websocket?token=abc", "abc", "bearer", 0},
		{[]string{"a/b"}, "/websocket?token=abc", "abc", "", 0},

		{[]string{kubernetes("abc") + ", base64.binary.k8s.io"}, "/websocket", "abc", "base64.binary.k8s.io", 0},
		{[]string{"base64.binary.k8s.io", kubernetes("abc")}, "/websocket", "abc", "base64.binary.k8s.io", 0},
		{[]string{"undefined, " + strings.ToUpper(kubernetesToken) + "YWJj"}, "/websocket", "abc", "undefined", 0},
		{[]string{"x, " + kubernetesToken + strings.ReplaceAll(base64.RawURLEncoding.EncodeToString([]byte(odd)), "-", "+")}, "/websocket", odd, "x", 0},
		{[]string{kubernetes("abc")}, "/websocket", "", "", 400},
		{[]string{kubernetes("abc")}, "/websocket?token=abc", "", "", 400},
		{[]string{kubernetesToken + ", x"}, "/websocket", "", "x", 400},
		{[]string{kubernetesToken + "!!!!, x"}, "/websocket", "", "x", 400},
		{[]string{kubernetes("a b") + ", x"}, "/websocket", "", "x", 400},
		{[]string{kubernetes("abc") + ", x"}, "/websocket?token=abc", "abc", "x", 0},
		{[]string{kubernetes("abc") + ", x"}, "/websocket?token=abd", "", "x", 400},
		{[]string{kubernetes("abc") + ", x, " + kubernetes("abd")}, "/websocket", "", "x", 400},

		{[]string{"bearer, abc"}, "/websocket", "abc", "bearer", 0},
		{[]string{"Bearer, abc.def.ghi"}, "/websocket", "abc.def.ghi", "Bearer", 0},
		{[]string{"access_token", "abc"}, "/websocket", "abc", "access_token", 0},
		{[]string{"bearer, abc, belfry"}, "/websocket", "abc", "belfry", 0},
		{[]string{"belfry, bearer, abc"}, "/websocket", "abc", "belfry", 0},
		{[]string{"belfry, bearer, a/b=="}, "/websocket", "a/b==", "belfry", 0},
		{[]string{"bearer, abc"}, "/websocket?token=abd", "", "bearer", 400},
		{[]string{"belfry, bearer"}, "/websocket", cookie, "belfry", 0},
	} {
		var fields []string
		for _, l := range c.lines {
			fields = append(fields, "Sec-WebSocket-Protocol: "+l)
		}
		e := newEdge(t, Options{})
		shown := e.credentials(request(c.target, append(fields, "Cookie: token="+cookie)...))
		got, bad, _ := e.token(shown)
		if got.Reveal() != c.token || bad.status != c.status || shown.subprotocol != c.agreed {
			t.Errorf("%q, %s: got %q, %d, agreed to %q; want %q, %d, %q", c.lines, c.target, got.Reveal(), bad.status, shown.subprotocol, c.token, c.status, c.agreed)
		}
	}
}
