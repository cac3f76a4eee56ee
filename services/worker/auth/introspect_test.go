package auth

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"belfry/pkg/protocol"
	"belfry/services/worker/internal/recall"
)

func introspection(t *testing.T, url string, c *clock) *Introspection {
	t.Helper()
	i, err := NewIntrospection(IntrospectionOptions{
		URL: url, ClientID: "belfry", ClientSecret: "s:cret", Cache: 10 * time.Second, Timeout: time.Second,
		Claims: ClaimNames{User: "sub", Groups: "groups"}, Now: c.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.Close)
	return i
}

func TestIntrospection(t *testing.T) {
	c := newClock()
	server := newIssuer(t, "")
	server.set(func(w http.ResponseWriter, r *http.Request) {
		user, secret, _ := r.BasicAuth()
		if user != "belfry" || secret != "s%3Acret" || r.Method != http.MethodPost || r.FormValue("token") != "opaque" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{
			"active": true, "sub": 7, "groups": []string{"jobs-*"}, "exp": testNow.Add(15 * time.Second).Unix(),
		})
	})
	i := introspection(t, server.URL, c)
	ask := func() (Identity, error) { return i.Authenticate(context.Background(), protocol.NewToken("opaque"), "") }
	for range 2 {
		id, err := ask()
		if err != nil || string(id.User) != "7" || !id.Expires.Equal(testNow.Add(15*time.Second)) {
			t.Fatalf("got %+v, %v", id, err)
		}
	}
	if n := server.asked.Load(); n != 1 {
		t.Fatalf("asked %d times, want 1: a good answer is remembered", n)
	}
	i.Forget()
	if _, err := ask(); err != nil || server.asked.Load() != 2 {
		t.Fatalf("forgotten: %v, asked %d", err, server.asked.Load())
	}
	c.advance(10 * time.Second)
	if _, err := ask(); err != nil || server.asked.Load() != 3 {
		t.Fatalf("after the cache: %v, asked %d", err, server.asked.Load())
	}
	c.advance(6 * time.Second) // the token has ended, the cache would not have
	if _, err := ask(); !errors.Is(err, ErrRefused) {
		t.Fatalf("an expired token: got %v, want a refusal", err)
	}
}

func TestIntrospectionAnswers(t *testing.T) {
	for name, row := range map[string]struct {
		status  int
		body    string
		refused bool
	}{
		"inactive":           {200, `{"active": false}`, true},
		"no user":            {200, `{"active": true}`, true},
		"star":               {200, `{"active": true, "sub": "*"}`, true},
		"expired":            {200, `{"active": true, "sub": 7, "exp": 1}`, true},
		"not yet":            {200, `{"active": true, "sub": 7, "nbf": 1900000000}`, true},
		"our secret is bad":  {401, `{"active": true, "sub": 7}`, false},
		"down":               {503, ``, false},
		"no JSON":            {200, `active`, false},
		"active is a string": {200, `{"active": "true", "sub": 7}`, false},
		"exp is a word":      {200, `{"active": true, "sub": 7, "exp": "tomorrow"}`, false},
		"exp is NaN":         {200, `{"active": true, "sub": 7, "exp": "NaN"}`, false},
		"exp is an object":   {200, `{"active": true, "sub": 7, "exp": {}}`, false},
		"nbf is a boolean":   {200, `{"active": true, "sub": 7, "nbf": true}`, false},
		"user twice":         {200, `{"active": true, "sub": 7, "sub": 8}`, false},
		"active twice":       {200, `{"active": false, "sub": 7, "active": true}`, false},
		"a page":             {200, `<html>log in</html>`, false},
		"null":               {200, `null`, false},
		"huge":               {200, `{"active": true, "sub": 7, "x": "` + strings.Repeat("x", maxAnswer) + `"}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			server := newIssuer(t, "")
			server.set(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(row.status)
				_, _ = w.Write([]byte(row.body))
			})
			i := introspection(t, server.URL, newClock())
			for range 2 {
				_, err := i.Authenticate(context.Background(), protocol.NewToken("opaque"), "")
				if err == nil || errors.Is(err, ErrRefused) != row.refused {
					t.Errorf("got %v, refused should be %v", err, row.refused)
				}
			}
			want := int64(2)
			if row.refused {
				want = 1
			}
			if n := server.asked.Load(); n != want {
				t.Errorf("asked %d times, want %d: refusals are remembered, errors are not", n, want)
			}
		})
	}
}

// TestIntrospectionTimes: exp and nbf in all forms that servers send, and the
// leeway for both.
func TestIntrospectionTimes(t *testing.T) {
	now := testNow.Unix()
	for _, row := range []struct {
		times   string
		refused bool
		expires int64 // after testNow, in seconds; noExpiry, or farExpiry
	}{
		{``, false, noExpiry},
		{`"exp": 0`, false, noExpiry},
		{`"exp": 0.0`, false, noExpiry},
		{`"exp": "0"`, false, noExpiry},
		{`"exp": null`, false, noExpiry},
		{`"exp": 1800000060`, false, 60},
		{`"exp": 1800000060.9`, false, 60},
		{`"exp": 1.80000006e9`, false, 60},
		{`"exp": "1800000060"`, false, 60},
		{`"exp": 9223372036854775807`, false, farExpiry},
		{`"exp": 1e400`, false, farExpiry},
		{`"exp": 1799999991`, false, 1},
		{`"exp": 1799999990`, true, 0},
		{`"exp": 1`, true, 0},
		{`"exp": -1`, true, 0},
		{`"nbf": 0`, false, noExpiry},
		{`"nbf": null`, false, noExpiry},
		{`"nbf": 1800000010`, false, noExpiry},
		{`"nbf": 1800000011`, true, 0},
		{`"nbf": "1800000011"`, true, 0},
	} {
		body := `{"active": true, "sub": 7`
		if row.times != "" {
			body += ", " + row.times
		}
		server := newIssuer(t, body+"}")
		i := must(NewIntrospection(IntrospectionOptions{
			URL: server.URL, Leeway: 10 * time.Second, Claims: ClaimNames{User: "sub"}, Now: newClock().now,
		}))
		id, err := i.Authenticate(context.Background(), protocol.NewToken("opaque"), "")
		i.Close()
		if errors.Is(err, ErrRefused) != row.refused || err != nil && !row.refused {
			t.Errorf("%s: got %v, refused should be %t", row.times, err, row.refused)
			continue
		}
		want := time.Unix(now+row.expires, 0)
		switch row.expires {
		case noExpiry:
			want = time.Time{}
		case farExpiry:
			want = maxExpiry
		}
		if !row.refused && !id.Expires.Equal(want) {
			t.Errorf("%s: expires %v, want %v", row.times, id.Expires, want)
		}
	}
}

const (
	noExpiry  = -1000
	farExpiry = -1001
)

// TestRefusalsAreForgotten: after their short while, with the good answers, and
// never at the cost of these.
func TestRefusalsAreForgotten(t *testing.T) {
	c := newClock()
	server := newIssuer(t, "")
	server.set(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("token") == "good" {
			serving(`{"active": true, "sub": 7}`)(w, r)
			return
		}
		serving(`{"active": false}`)(w, r)
	})
	i := introspection(t, server.URL, c)
	ask := func(token string, asked int64, good bool) {
		t.Helper()
		_, err := i.Authenticate(context.Background(), protocol.NewToken(token), "")
		if (err == nil) != good || server.asked.Load() != asked {
			t.Fatalf("%s: got %v, asked %d times, want %d", token, err, server.asked.Load(), asked)
		}
	}
	ask("good", 1, true)
	ask("bad", 2, false)
	ask("bad", 2, false)
	i.Forget()
	ask("bad", 3, false)
	c.advance(maxRefusal)
	ask("bad", 4, false)
	ask("good", 5, true)
	for n := range 3 * maxRemembered {
		i.bad.Put(1, recall.Entry[string, error]{Key: strconv.Itoa(n), Value: ErrRefused})
	}
	ask("good", 5, true)
}

// TestSameTokenIsAskedOnce: whoever shows it while the question is on its way.
func TestSameTokenIsAskedOnce(t *testing.T) {
	for name, body := range map[string]string{"good": `{"active": true, "sub": 7}`, "bad": `{"active": false}`, "error": `no`} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				arrived, answer := make(chan struct{}, 100), make(chan struct{})
				i := must(NewIntrospection(IntrospectionOptions{URL: "http://127.0.0.1:1/", Claims: ClaimNames{User: "sub"}}))
				defer i.Close()
				i.client.Transport = transport(func(*http.Request) (string, error) {
					arrived <- struct{}{}
					<-answer
					return body, nil
				})
				var all sync.WaitGroup
				for range 50 {
					all.Go(func() { _, _ = i.Authenticate(t.Context(), protocol.NewToken("opaque"), "") })
				}
				gone, cancel := context.WithCancel(t.Context())
				cancel()
				if _, err := i.Authenticate(gone, protocol.NewToken("opaque"), ""); err == nil || errors.Is(err, ErrRefused) {
					t.Errorf("one who gave up: got %v", err)
				}
				synctest.Wait()
				if n := len(arrived); n != 1 {
					t.Errorf("asked %d times for one token of 50 at a time", n)
				}
				close(answer)
				all.Wait()
				if n := len(arrived); n != 1 {
					t.Errorf("asked %d times in all", n)
				}
			})
		})
	}
}

// transport answers without a network.
type transport func(*http.Request) (string, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := f(r)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}
