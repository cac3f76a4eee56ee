package emitter_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/membus"
	"belfry/pkg/emitter"
)

// serveEndpoint serves an endpoint that emits to a broker in memory.
func serveEndpoint(t *testing.T, broker *membus.Broker) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	emitter.Handle(mux, over(t, broker, emitter.Options{}), "s3cret/x")
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func openURL(t *testing.T, url string) *emitter.Emitter {
	t.Helper()
	e, err := emitter.Open(emitter.Options{URL: url, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	return e
}

func TestEndpoint(t *testing.T) {
	broker, bus := installation(t, 1)
	server := serveEndpoint(t, broker)
	e := openURL(t, strings.Replace(server.URL, "http://", "embedded://:s3cret%2Fx@", 1))
	payload := ` {"a" : "ü/%"} `
	for _, group := range []string{"jobs-1", "jobs-ä/b c%2F?#", "jobs-.."} {
		if err := e.EmitEvent(t.Context(), emitter.Event{Group: group, Payload: []byte(payload), ID: "ïd of " + group}); err != nil {
			t.Fatalf("%s: %v", group, err)
		}
		got := receive(t, bus, amqpbus.LogQueue(1, 0), 1)[0]
		if got.Key != group || string(got.Body) != payload || got.ID != "ïd of "+group || got.Expiration != time.Minute {
			t.Errorf("%s: %+v", group, got)
		}
	}
	if err := e.EmitBatch(t.Context(), numbered("a", 50)); err != nil {
		t.Fatal(err)
	}
	for i, d := range receive(t, bus, amqpbus.LogQueue(1, 0), 50) {
		if d.ID != fmt.Sprint("a", i) {
			t.Fatalf("number %d is %s", i, d.ID)
		}
	}
	broker.SetPublishHook(func(string, amqpbus.Message) membus.Fate { return membus.FateRefuse })
	if err := e.Emit(t.Context(), "jobs-1", []byte(`{}`)); !errors.Is(err, emitter.ErrRefused) {
		t.Errorf("a refusal: %v", err)
	}
}

func TestEndpointReconnects(t *testing.T) {
	broker, bus := installation(t, 1)
	server := serveEndpoint(t, broker)
	e := openURL(t, strings.Replace(server.URL, "http://", "embedded://:s3cret%2Fx@", 1))
	server.CloseClientConnections()
	if err := e.EmitBatch(t.Context(), numbered("a", 5)); err != nil {
		t.Fatal(err)
	}
	server.CloseClientConnections()
	if err := e.EmitBatch(t.Context(), numbered("b", 5)); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, bus, amqpbus.LogQueue(1, 0), 10); got[9].ID != "b4" {
		t.Errorf("last is %s", got[9].ID)
	}
}

func TestEndpointNeedsSecret(t *testing.T) {
	broker, _ := installation(t, 1)
	server := serveEndpoint(t, broker)
	e := openURL(t, strings.Replace(server.URL, "http://", "embedded://:wrong@", 1))
	if err := e.Emit(t.Context(), "jobs-1", []byte(`{}`)); err == nil || !strings.Contains(err.Error(), "the secret is wrong") {
		t.Errorf("a wrong secret: %v", err)
	}
	for _, c := range []struct {
		name, authorization, path, body string
		status                          int
	}{
		{"no secret", "", "/emit/jobs-1", "{}", 401},
		{"no bearer", "s3cret/x", "/emit/jobs-1", "{}", 401},
		{"no secret, an order", "", "/disconnect", `{"user": 7}`, 401},
		{"no user", "Bearer s3cret/x", "/disconnect", "{}", 400},
		{"a misspelt key", "Bearer s3cret/x", "/disconnect", `{"user": 7, "sesion": "s"}`, 400},
		{"an order too long", "Bearer s3cret/x", "/disconnect", strings.Repeat(" ", 5000) + `{"user": 7}`, 400},
		{"no JSON", "Bearer s3cret/x", "/emit/jobs-1", "{", 400},
		{"no group", "Bearer s3cret/x", "/emit/jobs", "{}", 400},
		{"too long", "Bearer s3cret/x", "/emit/jobs-1", strings.Repeat(" ", emitter.MaxPayload) + "{}", 400},
	} {
		request, err := http.NewRequestWithContext(t.Context(), "POST", server.URL+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", c.authorization)
		response, err := server.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		if response.StatusCode != c.status {
			t.Errorf("%s: %d, want %d", c.name, response.StatusCode, c.status)
		}
	}
	if n := ready(t, broker, amqpbus.LogQueue(1, 0)); n != 0 {
		t.Errorf("%d events came through", n)
	}
	if n := ready(t, broker, amqpbus.QueueDisconnect); n != 0 {
		t.Errorf("%d orders came through", n)
	}
}
