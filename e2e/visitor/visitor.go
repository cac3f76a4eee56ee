// Package visitor is a person at the example application's page, without a
// browser: logs in, launches jobs, and watches the websocket.
package visitor

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"testing"
	"time"

	"belfry/e2e/load"
	"belfry/e2e/wsclient"
)

// Visitor is a person at the example application's page, behind nginx. Its methods
// fail the test where something must succeed.
type Visitor struct {
	t      *testing.T
	base   string
	tls    *tls.Config
	client *http.Client
}

// Visit logs in at the page's address (https://host:port), whose certificate config
// trusts. The demo users' password is the same for all.
func Visit(t *testing.T, base string, config *tls.Config, name string) *Visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: config}
	t.Cleanup(transport.CloseIdleConnections)
	v := &Visitor{t: t, base: base, tls: config, client: &http.Client{Jar: jar, Transport: transport, Timeout: 10 * time.Second}}
	v.Call(http.MethodPost, "/api/login", map[string]string{"name": name, "password": "tower"}, nil)
	return v
}

// Call is one request that must succeed.
func (v *Visitor) Call(method, path string, body, into any) {
	v.t.Helper()
	status, text, err := v.try(method, path, body)
	if err != nil || status/100 != 2 {
		v.t.Fatalf("%s %s: %d %s, %v", method, path, status, text, err)
	}
	if into != nil {
		if err := json.Unmarshal(text, into); err != nil {
			v.t.Fatalf("%s %s: %v in %s", method, path, err, text)
		}
	}
}

func (v *Visitor) try(method, path string, body any) (status int, text []byte, err error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	ctx, cancel := context.WithTimeout(v.t.Context(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, v.base+path, bytes.NewReader(encoded))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("X-Requested-With", "test")
	response, err := v.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err = io.ReadAll(response.Body)
	return response.StatusCode, text, err
}

// Launch starts a job.
func (v *Visitor) Launch(template string) (job int64) {
	v.t.Helper()
	var answer struct{ ID int64 }
	v.Call(http.MethodPost, "/api/jobs", map[string]string{"template": template}, &answer)
	return answer.ID
}

// Watch opens the websocket with a fresh token and asks for groups. It returns
// the frames that are not events.
func (v *Visitor) Watch(addr string, groups ...string) (conn *wsclient.Conn, reply string) {
	v.t.Helper()
	var token struct{ Token string }
	v.Call(http.MethodGet, "/api/token", nil, &token)
	conn, answer, err := wsclient.Dial(v.t.Context(), wsclient.Request{
		Addr: addr, TLS: v.tls, Path: "/websocket", Token: token.Token,
		Header: []wsclient.Field{{Name: "Origin", Value: "https://" + addr}},
	})
	if err != nil || conn == nil {
		v.t.Fatalf("the websocket: %+v, %v", answer, err)
	}
	v.t.Cleanup(conn.Drop)
	v.Next(conn) // the accept frame
	if err := conn.Text(load.Subscription(groups)); err != nil {
		v.t.Fatal(err)
	}
	return conn, v.Next(conn)
}

// Next is the next frame, which must come within 20 s.
func (v *Visitor) Next(conn *wsclient.Conn) string {
	v.t.Helper()
	text, err := conn.Next(20 * time.Second)
	if err != nil {
		v.t.Fatalf("waiting for a frame: %v", err)
	}
	return text
}

// Lines reads a job's output from the websocket up to its last line, and fails
// when one is missing, doubled or out of order. It returns the first.
func (v *Visitor) Lines(conn *wsclient.Conn, job int64, last int) (first int) {
	v.t.Helper()
	for at := 0; at < last; {
		var event struct {
			GroupName string `json:"group_name"`
			Job       int64  `json:"job"`
			Counter   int    `json:"counter"`
		}
		text := v.Next(conn)
		if err := json.Unmarshal([]byte(text), &event); err != nil {
			v.t.Fatalf("%v in %s", err, text)
		}
		if event.GroupName != "job_events" {
			continue
		}
		if first == 0 {
			first, at = event.Counter, event.Counter-1
		}
		if at++; event.Job != job || event.Counter != at {
			v.t.Fatalf("got %s, want line %d of job %d", text, at, job)
		}
	}
	return first
}
