package emitter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"belfry/pkg/amqpbus"
)

// headerID is the header with the message id, percent-encoded. Expiration and persistence
// are not sent: the receiver uses its own.
const headerID = "Belfry-Message-Id"

// postTimeout is how long one POST may take.
const postTimeout = 5 * time.Second

// endpoint is a transport that posts events to `belfry dev`, which has no broker.
type endpoint struct {
	base   string
	secret string
	client *http.Client

	mu      sync.Mutex
	failure error         // guarded by mu: why the last POST failed, nil if it did not
	changed chan struct{} // guarded by mu; closed when failure becomes nil or not nil
}

func openEndpoint(hostPort, secret string, insecure bool) (*endpoint, error) {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		return nil, fmt.Errorf("the URL needs a host and a port, as in embedded://:secret@127.0.0.1:9051: %w", err)
	}
	if ip := net.ParseIP(host); !insecure && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, errors.New("embedded:// only works on this host, because it has no TLS: use 127.0.0.1")
	}
	if secret == "" {
		return nil, errors.New("embedded:// needs the secret that `belfry dev` prints: write embedded://:secret@host:port or set BELFRY_EMIT_SECRET")
	}
	return &endpoint{
		base: "http://" + hostPort, secret: secret, changed: make(chan struct{}),
		client: &http.Client{
			Transport:     &http.Transport{MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute},
			Timeout:       postTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Health implements transport.
func (e *endpoint) Health() amqpbus.Health {
	e.mu.Lock()
	defer e.mu.Unlock()
	return amqpbus.Health{Connected: e.failure == nil, Err: e.failure}
}

// Changed implements transport.
func (e *endpoint) Changed() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.changed
}

// Close closes the idle connection.
func (e *endpoint) Close(context.Context) error {
	e.client.CloseIdleConnections()
	return nil
}

// OpenPublisher implements transport.
func (e *endpoint) OpenPublisher(ctx context.Context, _ int) (amqpbus.Publisher, error) {
	return &poster{endpoint: e, done: make(chan struct{})}, ctx.Err()
}

func (e *endpoint) note(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if (err == nil) != (e.failure == nil) {
		close(e.changed)
		e.changed = make(chan struct{})
	}
	e.failure = err
}

// poster is a publisher that posts one message at a time. It ends with the first POST that
// gets no answer.
type poster struct {
	endpoint *endpoint
	once     sync.Once
	done     chan struct{}
}

// Publish implements amqpbus.Publisher. It calls done before it returns.
func (w *poster) Publish(ctx context.Context, m amqpbus.Message, done func(error)) error {
	err := w.endpoint.post(ctx, m)
	if errors.Is(err, amqpbus.ErrLinkLost) {
		w.endpoint.note(err)
		_ = w.Close()
		return err
	}
	w.endpoint.note(nil)
	done(err)
	return nil
}

func (w *poster) Done() <-chan struct{} { return w.done }

func (w *poster) Close() error {
	w.once.Do(func() { close(w.done) })
	return nil
}

// endpointAnswer is the JSON body of an answer other than 204.
type endpointAnswer struct {
	Outcome string `json:"outcome"` // one of outcomes
	Error   string `json:"error"`
}

func (e *endpoint) post(ctx context.Context, m amqpbus.Message) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.base+pathOf(m), bytes.NewReader(m.Body))
	if err != nil {
		return fmt.Errorf("post to belfry dev: %w: %w", amqpbus.ErrLinkLost, err)
	}
	request.Header.Set("Authorization", "Bearer "+e.secret)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(headerID, url.QueryEscape(m.ID))
	if text := m.Headers[amqpbus.HeaderTrace]; text != "" {
		request.Header.Set(amqpbus.HeaderTrace, text)
	}
	response, err := e.client.Do(request)
	if err != nil {
		return fmt.Errorf("post to belfry dev (is it running?): %w: %w", amqpbus.ErrLinkLost, err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNoContent {
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	if err != nil {
		return fmt.Errorf("read the answer of belfry dev: %w: %w", amqpbus.ErrLinkLost, err)
	}
	return answerError(response.StatusCode, text)
}

// disconnectPath is the path to which orders to disconnect are posted.
const disconnectPath = "/disconnect"

// pathOf returns the path to which a message is posted. That of an event contains its
// group, whatever the number of shards.
func pathOf(m amqpbus.Message) string {
	if m.Exchange == amqpbus.ExchangeDisconnect {
		return disconnectPath
	}
	group := m.Key
	if g, ok := m.Headers[amqpbus.HeaderGroup]; ok {
		group = g
	}
	return "/emit/" + url.PathEscape(group)
}

func answerError(status int, text []byte) error {
	var a endpointAnswer
	if err := json.Unmarshal(text, &a); err != nil {
		a.Error = "the server at this address is not Belfry"
	}
	switch a.Outcome {
	case "refused":
		return amqpbus.ErrRefused
	case "unroutable":
		return amqpbus.ErrUnroutable
	case "unknown", "closed":
		return fmt.Errorf("belfry dev answers %d: %w: %s", status, amqpbus.ErrLinkLost, a.Error)
	case "invalid":
		return fmt.Errorf("%w: %s", ErrInvalid, a.Error)
	default:
		return fmt.Errorf("belfry dev answers %d: %s", status, a.Error)
	}
}
