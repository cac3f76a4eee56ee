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

// headerID carries the message id, percent-encoded. Expiration and persistence
// are the other side's.
const headerID = "Belfry-Message-Id"

// doorTimeout bounds one POST.
const doorTimeout = 5 * time.Second

// door is a carrier that posts to a Belfry without a broker.
type door struct {
	base   string
	secret string
	client *http.Client

	mu      sync.Mutex
	failure error         // guarded by mu: of the last POST
	changed chan struct{} // guarded by mu; closed at the next change of failure
}

func openDoor(hostPort, secret string, insecure bool) (*door, error) {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		return nil, fmt.Errorf("the URL needs a host and a port, as in embedded://:secret@127.0.0.1:9051: %w", err)
	}
	if ip := net.ParseIP(host); !insecure && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, errors.New("embedded:// is for this host alone: use 127.0.0.1")
	}
	if secret == "" {
		return nil, errors.New("embedded:// needs the secret that `belfry dev` prints: write embedded://:secret@host:port or set BELFRY_EMIT_SECRET")
	}
	return &door{
		base: "http://" + hostPort, secret: secret, changed: make(chan struct{}),
		client: &http.Client{
			Transport:     &http.Transport{MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute},
			Timeout:       doorTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Health implements carrier.
func (d *door) Health() amqpbus.Health {
	d.mu.Lock()
	defer d.mu.Unlock()
	return amqpbus.Health{Connected: d.failure == nil, Err: d.failure}
}

// Changed implements carrier.
func (d *door) Changed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changed
}

// Close ends the kept connection.
func (d *door) Close(context.Context) error {
	d.client.CloseIdleConnections()
	return nil
}

// OpenPublisher implements carrier.
func (d *door) OpenPublisher(ctx context.Context, _ int) (amqpbus.Publisher, error) {
	return &doorway{door: d, done: make(chan struct{})}, ctx.Err()
}

func (d *door) note(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if (err == nil) != (d.failure == nil) {
		close(d.changed)
		d.changed = make(chan struct{})
	}
	d.failure = err
}

// doorway is a publisher that posts one message at a time. It ends with the
// first POST that brings no answer.
type doorway struct {
	door *door
	once sync.Once
	done chan struct{}
}

// Publish implements amqpbus.Publisher; done has been called when it returns.
func (w *doorway) Publish(ctx context.Context, m amqpbus.Message, done func(error)) error {
	err := w.door.post(ctx, m)
	if errors.Is(err, amqpbus.ErrLinkLost) {
		w.door.note(err)
		_ = w.Close()
		return err
	}
	w.door.note(nil)
	done(err)
	return nil
}

func (w *doorway) Done() <-chan struct{} { return w.done }

func (w *doorway) Close() error {
	w.once.Do(func() { close(w.done) })
	return nil
}

// doorAnswer is the body of an answer that is not 204.
type doorAnswer struct {
	Outcome string `json:"outcome"` // of metrics.go
	Error   string `json:"error"`
}

func (d *door) post(ctx context.Context, m amqpbus.Message) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.base+pathOf(m), bytes.NewReader(m.Body))
	if err != nil {
		return fmt.Errorf("post to belfry dev: %w: %w", amqpbus.ErrLinkLost, err)
	}
	request.Header.Set("Authorization", "Bearer "+d.secret)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(headerID, url.QueryEscape(m.ID))
	if text := m.Headers[amqpbus.HeaderTrace]; text != "" {
		request.Header.Set(amqpbus.HeaderTrace, text)
	}
	response, err := d.client.Do(request)
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
	return doorError(response.StatusCode, text)
}

// disconnectPath is where orders to disconnect are posted.
const disconnectPath = "/disconnect"

// pathOf is where a message is posted: an event by its group, whatever the
// number of shards.
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

func doorError(status int, text []byte) error {
	var a doorAnswer
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
