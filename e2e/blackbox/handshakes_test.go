package blackbox

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"belfry/e2e/harness"
	"belfry/e2e/wsclient"
)

// handshakes are requests of those who want to do harm. Beside each of them a
// healthy connection gets its events.
var handshakes = []row{
	{name: "tokens that are refused", run: beside(refusedTokens)},
	{name: "a token that would break the line", run: beside(func(t *testing.T, in *harness.Installation) {
		refused(t, in, wsclient.Request{Token: "leak-in-a-query%0d%0aX-Forged:%20yes"}, 400)
		refused(t, in, wsclient.Request{Header: []wsclient.Field{
			{Name: "Cookie", Value: "token=leak-in-a-cookie%0d%0aX-Forged:%20yes"}, {Name: "Origin", Value: in.Scheme() + "://" + in.Addr(0)},
		}}, 401)
		in.Secret("leak-in-a-folded-header")
		refused(t, in, wsclient.Request{Header: []wsclient.Field{{Name: "Authorization", Value: "Bearer leak-in-a-folded-header\r\n X-Forged: yes"}}}, 400)
		// Not escaped, it ends the request's line, so there is no HTTP/1.1 in it.
		conn, answer, err := wsclient.Dial(t.Context(), in.Request(0, wsclient.Request{Token: "leak-in-a-line\r\nX-Forged: yes"}))
		if conn != nil || in.TLS() == nil && (err != nil || answer.Status != 400) {
			t.Fatalf("answered %+v, %v", answer, err)
		}
	})},
	{name: "1,000 fields, of many names and of one", run: beside(func(t *testing.T, in *harness.Installation) {
		many, one := wsclient.Request{Token: harness.TokenAdmin}, wsclient.Request{Token: harness.TokenAdmin}
		for i := range 1000 {
			many.Header = append(many.Header, wsclient.Field{Name: fmt.Sprint("X-", i), Value: "y"})
			one.Header = append(one.Header, wsclient.Field{Name: "X-Many", Value: "y"})
		}
		for _, r := range []wsclient.Request{many, one} {
			refused(t, in, r, either(in, 431, 400))
		}
	})},
	{name: "a header that is too large", run: beside(func(t *testing.T, in *harness.Installation) {
		tooLarge(t, in, wsclient.Request{Token: harness.TokenAdmin, Header: []wsclient.Field{{Name: "X-Large", Value: strings.Repeat("y", 64<<10)}}}, either(in, 431, 400))
	})},
	{name: "path traversal", run: beside(func(t *testing.T, in *harness.Installation) {
		for _, path := range []string{
			"/websocket/../secret", "/websocket/%2e%2e/secret", "/websocket/..%2f..%2fetc/passwd", "/websocket/../../etc/passwd",
			"/websocket/./x", "/websocket%00", "//websocket/",
		} {
			refusedRaw(t, in, path)
		}
	})},
	{name: "bytes behind the request that are no frames are 1002", run: beside(func(t *testing.T, in *harness.Installation) {
		c := accepted(t, in, wsclient.Request{Token: harness.TokenAdmin, After: []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")})
		c.expect(`{"accept": true, "user": 7}`)
		c.expectClose(1002)
	})},
	{name: "a second request behind one that is refused", run: beside(behindARefusal)},
	{name: "TLS where there is none, and none where there is", run: beside(theOtherOne)},
	{name: "a byte every five seconds", slow: true, run: beside(trickle)},
}

// refusedTokens are in every place where a token can be. None is shown.
func refusedTokens(t *testing.T, in *harness.Installation) {
	bearer := func(token string) []wsclient.Field {
		in.Secret(token)
		return []wsclient.Field{{Name: "Authorization", Value: "Bearer " + token}}
	}
	cookie := func(token string) []wsclient.Field {
		in.Secret(token)
		return []wsclient.Field{{Name: "Cookie", Value: "token=" + token}, {Name: "Origin", Value: in.Scheme() + "://" + in.Addr(0)}}
	}
	for _, r := range []wsclient.Request{
		{Token: "leak-refused-in-a-query"}, {Header: bearer("leak-refused-as-bearer")}, {Header: cookie("leak-refused-in-a-cookie")},
		{Token: "leak-in-the-query", Header: cookie("leak-other-in-a-cookie")}, {Header: subprotocols(in, "bearer", "leak-refused-as-a-subprotocol")},
	} {
		c := accepted(t, in, r)
		c.expect(`{"accept": false, "user": null}`)
		c.expectClose(4401)
	}
	for _, r := range []wsclient.Request{
		{Token: "leak-first-of-two&token=leak-second-of-two"},
		{Token: "leak-in-the-query", Header: bearer("leak-other-as-bearer")},
		{Token: "leak-in-the-query", Header: subprotocols(in, "bearer", "leak-other-as-a-subprotocol")},
		{Header: subprotocols(in, kubernetes("leak-alone-as-a-subprotocol"))},
		{Header: bearer("leak-too-long-as-bearer" + strings.Repeat("a", 8<<10-len("leak-too-long-as-bearer")-len("Authorization: Bearer \r\n")+40))},
		{Token: "leak%zzbroken"},
	} {
		in.Secret("leak-first-of-two")
		in.Secret("leak-second-of-two")
		if answer := refused(t, in, r, 400); strings.Contains(answer.Body, "leak") {
			t.Errorf("the answer shows the token: %s", answer.Body)
		}
	}
	tooLarge(t, in, wsclient.Request{Token: "leak-too-long-in-a-query" + strings.Repeat("a", 10<<10)}, either(in, 400, 414))
	tooLarge(t, in, wsclient.Request{Token: "leak-far-too-long" + strings.Repeat("a", 64<<10)}, either(in, 431, 414))
}

// tooLarge is refused; who refuses may hang up before it has read everything.
func tooLarge(t *testing.T, in *harness.Installation, r wsclient.Request, status int) {
	t.Helper()
	conn, answer, err := wsclient.Dial(t.Context(), in.Request(0, r))
	switch {
	case errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE):
	case err != nil:
		t.Fatal(err)
	case conn != nil:
		t.Fatal("it was accepted")
	case answer.Status != status || strings.Contains(answer.Body, "leak"):
		t.Fatalf("HTTP %d %.200s, want %d", answer.Status, answer.Body, status)
	}
}

// refusedRaw asks for a path as it is: it leads to no websocket, and to nothing
// else that is served.
func refusedRaw(t *testing.T, in *harness.Installation, path string) {
	t.Helper()
	conn, answer, err := wsclient.Dial(t.Context(), in.Request(0, wsclient.Request{Path: path, Token: harness.TokenAdmin}))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if conn != nil {
		conn.Drop()
	}
	// Go's server, which is the application's, sends who asks to the path without
	// dots, where nothing is.
	cleaned := in.Page() && answer.Status == 307 && !strings.HasPrefix(answer.Header.Get("Location"), "/websocket")
	if answer.Status != 404 && answer.Status != 400 && !cleaned {
		t.Errorf("%s: HTTP %d %.200s", path, answer.Status, answer.Body)
	}
}

// behindARefusal sends two requests at once: the second is not taken for a part of
// the first.
func behindARefusal(t *testing.T, in *harness.Installation) {
	first, second := in.Request(0, wsclient.Request{}), in.Request(0, wsclient.Request{Path: "/elsewhere", Token: harness.TokenAdmin})
	raw := raw(t, first)
	if _, err := io.WriteString(raw, first.Text()+second.Text()); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(raw)
	for _, want := range []int{401, 404} {
		answer, err := http.ReadResponse(answers, nil)
		if want == 404 && in.TLS() == nil { // a gateway's refusal ends the connection, nginx's does not
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("behind a refusal came %+v, %v, want the connection's end", answer, err)
			}
			return
		}
		if err != nil || answer.StatusCode != want {
			t.Fatalf("got %+v, %v, want %d", answer, err, want)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
	}
}

// raw is a connection on which nothing was sent.
func raw(t *testing.T, r wsclient.Request) net.Conn {
	t.Helper()
	conn, err := r.Raw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn
}

// theOtherOne greets a plain port with TLS, or nginx's TLS port without.
func theOtherOne(t *testing.T, in *harness.Installation) {
	r := in.Request(0, wsclient.Request{Token: harness.TokenAdmin})
	if in.TLS() != nil {
		r.TLS = nil
		conn, answer, err := wsclient.Dial(t.Context(), r)
		if err != nil || conn != nil || answer.Status != 400 {
			t.Fatalf("plain HTTP is answered %+v, %v", answer, err)
		}
		return
	}
	err := tls.Client(raw(t, r), &tls.Config{ServerName: "localhost"}).HandshakeContext(t.Context())
	if _, plain := errors.AsType[tls.RecordHeaderError](err); !plain {
		t.Fatalf("a TLS hello is answered %v, want something that is no TLS", err)
	}
}

// trickle sends a header a byte at a time: the gateway does not wait for its end.
func trickle(t *testing.T, in *harness.Installation) {
	r := in.Request(0, wsclient.Request{Token: harness.TokenAdmin})
	conn := raw(t, r)
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	text := r.Text()
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, conn)
		close(ended)
	}()
	const at, bytes = 5 * time.Second, 5
	if _, err := io.WriteString(conn, text[:len(text)-bytes]); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(at)
	defer tick.Stop()
	for sent := len(text) - bytes; sent < len(text); sent++ {
		select {
		case <-ended:
			return
		case <-tick.C:
			_, _ = conn.Write([]byte{text[sent]}) // the end shows when reading
		}
	}
	t.Fatal("the gateway waited for the whole header")
}
