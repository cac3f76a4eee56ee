package blackbox

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"belfry/e2e/harness"
	"belfry/e2e/wsclient"
)

// connecting are the rows of the section "Connecting".
var connecting = []row{
	{name: "both paths", run: func(t *testing.T, in *harness.Installation) {
		for _, path := range []string{"/websocket", "/websocket/"} {
			accepted(t, in, wsclient.Request{Path: path, Token: harness.TokenAdmin})
		}
	}},
	{name: "another path is 404", run: func(t *testing.T, in *harness.Installation) {
		paths := []string{"/elsewhere", "/websockets", "/websocket/x"}
		if !in.Page() {
			paths = append(paths, "/")
		}
		for _, path := range paths {
			refused(t, in, wsclient.Request{Path: path, Token: harness.TokenAdmin}, 404)
		}
	}},
	{name: "token in the query", run: func(t *testing.T, in *harness.Installation) {
		accepted(t, in, wsclient.Request{Token: harness.TokenAdmin})
	}},
	{name: "token as bearer", run: func(t *testing.T, in *harness.Installation) {
		accepted(t, in, wsclient.Request{Header: []wsclient.Field{{Name: "Authorization", Value: "Bearer " + harness.TokenAdmin}}})
	}},
	{name: "token in the cookie, plain, quoted and URL-quoted", run: func(t *testing.T, in *harness.Installation) {
		for _, value := range []string{harness.TokenAdmin, `"` + harness.TokenAdmin + `"`, "%22" + harness.TokenAdmin + "%22"} {
			accepted(t, in, wsclient.Request{Header: []wsclient.Field{
				{Name: "Cookie", Value: "other=1; token=" + value}, {Name: "Origin", Value: in.Scheme() + "://" + in.Addr(0)},
			}})
		}
	}},
	{name: "the same token in two places", run: func(t *testing.T, in *harness.Installation) {
		accepted(t, in, wsclient.Request{Token: harness.TokenAdmin, Header: []wsclient.Field{{Name: "Authorization", Value: "Bearer " + harness.TokenAdmin}}})
	}},
	{name: "another application's cookie beside a good token", run: func(t *testing.T, in *harness.Installation) {
		for _, value := range []string{"another", "%zz", "a b", harness.TokenUser} {
			c := accepted(t, in, wsclient.Request{Token: harness.TokenAdmin, Header: []wsclient.Field{{Name: "Cookie", Value: "token=" + value}}})
			c.expect(`{"accept": true, "user": 7}`)
		}
	}},
	{name: "of two cookies the first that can be read", run: func(t *testing.T, in *harness.Installation) {
		origin := wsclient.Field{Name: "Origin", Value: in.Scheme() + "://" + in.Addr(0)}
		c := accepted(t, in, wsclient.Request{Header: []wsclient.Field{{Name: "Cookie", Value: "token=%zz; token=" + harness.TokenAdmin + "; token=" + harness.TokenUser}, origin}})
		c.expect(`{"accept": true, "user": 7}`)
		refused(t, in, wsclient.Request{Header: []wsclient.Field{{Name: "Cookie", Value: "token=%zz"}, origin}}, 401)
	}},
	{name: "token in a subprotocol, and the one that is agreed to", run: subprotocol},
	{name: "two different tokens are refused", run: func(t *testing.T, in *harness.Installation) {
		refused(t, in, wsclient.Request{Token: harness.TokenAdmin, Header: []wsclient.Field{{Name: "Authorization", Value: "Bearer " + harness.TokenUser}}}, 400)
		refused(t, in, wsclient.Request{Path: "/websocket/?token=" + harness.TokenAdmin, Token: harness.TokenUser}, 400)
	}},
	{name: "accept frame, a number stays a number", run: func(t *testing.T, in *harness.Installation) {
		c := accepted(t, in, wsclient.Request{Token: harness.TokenAdmin})
		c.expect(`{"accept": true, "user": 7}`)
	}},
	{name: "accept frame, a string stays a string", run: func(t *testing.T, in *harness.Installation) {
		c := accepted(t, in, wsclient.Request{Token: harness.TokenNamed})
		c.expect(`{"accept": true, "user": "alice"}`)
	}},
	{name: "no token: 401 with a JSON error", run: func(t *testing.T, in *harness.Installation) {
		answer := refused(t, in, wsclient.Request{}, 401)
		var body struct {
			Error string `json:"error"`
		}
		if err := json.Unmarshal([]byte(answer.Body), &body); err != nil || body.Error == "" {
			t.Errorf("the body is %q", answer.Body)
		}
	}},
	{name: "token refused: 101, accept false, 4401", run: func(t *testing.T, in *harness.Installation) {
		for _, token := range []string{"nobody-has-this", in.Token(harness.TokenAdmin) + "x", in.Token(harness.TokenAdmin)[1:]} {
			c := accepted(t, in, wsclient.Request{Token: token})
			c.expect(`{"accept": false, "user": null}`)
			c.expectClose(4401)
		}
	}},
	{name: "Origin", run: origins},
	{name: "a foreign Host with an equal Origin", run: func(t *testing.T, in *harness.Installation) {
		// Without BELFRY_ALLOWED_HOSTS every Host is served; that of the embedded
		// mode knows the origins of its page.
		r := wsclient.Request{Host: "evil.example", Token: harness.TokenAdmin, Header: []wsclient.Field{{Name: "Origin", Value: in.Scheme() + "://evil.example"}}}
		if in.Broker == nil {
			refused(t, in, r, 403)
			return
		}
		accepted(t, in, r).expect(`{"accept": true, "user": 7}`)
	}},
	{name: "wrong method: 405", run: func(t *testing.T, in *harness.Installation) {
		answer := refused(t, in, wsclient.Request{Method: "POST", Token: harness.TokenAdmin}, 405)
		if answer.Header.Get("Allow") == "" {
			t.Error("405 without Allow")
		}
	}},
	{name: "wrong version: 426", run: func(t *testing.T, in *harness.Installation) {
		answer := refused(t, in, wsclient.Request{Version: "12", Token: harness.TokenAdmin}, 426)
		if answer.Header.Get("Sec-WebSocket-Version") != "13" {
			t.Errorf("Sec-WebSocket-Version is %q", answer.Header.Get("Sec-WebSocket-Version"))
		}
	}},
	{name: "no Upgrade to websocket: 426", run: func(t *testing.T, in *harness.Installation) {
		for _, r := range []wsclient.Request{{Upgrade: "-"}, {Upgrade: "h2c"}, {Version: "-"}} {
			r.Token = harness.TokenAdmin
			if answer := refused(t, in, r, 426); !strings.EqualFold(answer.Header.Get("Upgrade"), "websocket") {
				t.Errorf("426 without the way out: %v", answer.Header)
			}
		}
	}},
	{name: "no key, a bad one, two: 400", run: func(t *testing.T, in *harness.Installation) {
		for _, key := range []string{"-", "short", "notbase64!notbase64!!!!!"} {
			refused(t, in, wsclient.Request{Key: key, Token: harness.TokenAdmin}, 400)
		}
		refused(t, in, wsclient.Request{Token: harness.TokenAdmin, Header: []wsclient.Field{{Name: "Sec-WebSocket-Key", Value: "dGhlIHNhbXBsZSBub25jZQ=="}}}, 400)
	}},
	{name: "HTTP/1.0", run: func(t *testing.T, in *harness.Installation) {
		refused(t, in, wsclient.Request{Proto: "HTTP/1.0", Token: harness.TokenAdmin}, either(in, 426, 505))
	}},
	{name: "a frame ahead of the answer is handled after it", run: early},
}

// either is what a gateway answers, or nginx in front of it.
func either(in *harness.Installation, gateway, nginx int) int {
	if in.TLS() != nil {
		return nginx
	}
	return gateway
}

// accepted shakes hands and returns the connection with nothing read from it.
func accepted(t *testing.T, in *harness.Installation, r wsclient.Request) *client {
	t.Helper()
	conn, answer, err := wsclient.Dial(t.Context(), in.Request(0, r))
	if err != nil {
		t.Fatal(err)
	}
	if conn == nil {
		t.Fatalf("HTTP %d %s, want 101", answer.Status, answer.Body)
	}
	t.Cleanup(conn.Drop)
	return &client{t, conn}
}

// refused shakes hands and expects the status.
func refused(t *testing.T, in *harness.Installation, r wsclient.Request, status int) *wsclient.Answer {
	t.Helper()
	conn, answer, err := wsclient.Dial(t.Context(), in.Request(0, r))
	if err != nil {
		t.Fatal(err)
	}
	if conn != nil {
		conn.Drop()
	}
	if answer.Status != status {
		t.Fatalf("HTTP %d %.200s, want %d", answer.Status, answer.Body, status)
	}
	return answer
}

func origins(t *testing.T, in *harness.Installation) {
	addr, scheme := in.Addr(0), in.Scheme()
	_, port, _ := strings.Cut(addr, ":")
	number, _ := strconv.Atoi(port)
	beside := 403
	if in.Broker == nil { // belfry dev lets every page of this machine in
		beside = 101
	}
	bearer := wsclient.Field{Name: "Authorization", Value: "Bearer " + harness.TokenAdmin}
	cookie := wsclient.Field{Name: "Cookie", Value: "token=" + harness.TokenAdmin}
	for _, test := range []struct {
		name   string
		origin []string
		token  wsclient.Field
		status int
	}{
		{"equal to Host", []string{scheme + "://" + addr}, cookie, 101},
		{"absent with a bearer token", nil, bearer, 101},
		{"absent with a cookie only", nil, cookie, 403},
		{"null", []string{"null"}, bearer, 403},
		{"null with a cookie", []string{"null"}, cookie, 403},
		{"foreign", []string{scheme + "://evil.example"}, bearer, 403},
		{"another port", []string{scheme + "://127.0.0.1:" + strconv.Itoa(number-1)}, bearer, beside},
		{"another name of the host", []string{scheme + "://localhost:" + port}, bearer, beside},
		{"trailing dot", []string{scheme + "://127.0.0.1.:" + port}, bearer, 403},
		{"two of them", []string{scheme + "://" + addr, scheme + "://evil.example"}, bearer, 403},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := wsclient.Request{Header: []wsclient.Field{test.token}}
			for _, origin := range test.origin {
				r.Header = append(r.Header, wsclient.Field{Name: "Origin", Value: origin})
			}
			if test.status == 101 {
				accepted(t, in, r)
			} else {
				refused(t, in, r, test.status)
			}
		})
	}
}

// early sends the subscription in the same segment as the handshake.
func early(t *testing.T, in *harness.Installation) {
	g, e := group(), event()
	frame := wsclient.Frame{Fin: true, Opcode: wsclient.OpText, Masked: true, Payload: []byte(message(g))}
	c := accepted(t, in, wsclient.Request{Token: harness.TokenAdmin, After: frame.Bytes()})
	c.expect(`{"accept": true, "user": 7}`)
	c.expect(reply([]string{g}, nil, []string{g}))
	in.Emit(t, g, e)
	c.expect(e)
}
