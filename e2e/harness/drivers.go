package harness

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"belfry/e2e/load"
	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/brokertest"
	"belfry/pkg/amqpbus/rabbit"
	"belfry/pkg/emitter"
)

// emitWithin bounds one emit of a driver.
const emitWithin = 15 * time.Second

// openDriver opens the installation's emit port: POST in the embedded mode,
// else a plain publish to belfry.emit as a backend's user.
func (in *Installation) openDriver() (driver, error) {
	if in.shape.Embedded {
		return &poster{base: "http://" + in.Gateways[0].Admin}, nil
	}
	return openPublisher(in.Broker.BackendURL(), "e2e-driver")
}

// poster emits by POST /emit/{group}.
type poster struct{ base string }

func (p *poster) emit(group, payload string) error {
	ctx, cancel := context.WithTimeout(context.Background(), emitWithin)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.base+"/emit/"+url.PathEscape(group), bytes.NewReader([]byte(payload)))
	if err != nil {
		return fmt.Errorf("post an emit: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+emitSecret)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("post an emit: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(response.Body)
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("post an emit: HTTP %d %s", response.StatusCode, body)
	}
	return nil
}

func (p *poster) close() {}

// Plain is what any AMQP client could publish to belfry.emit.
type Plain struct {
	Group, Payload, ID string
	Expiration         time.Duration
}

// publisher is such a client.
type publisher struct {
	bus amqpbus.Bus
	pub amqpbus.Publisher
}

func openPublisher(address, name string) (*publisher, error) {
	bus, err := rabbit.Open(rabbit.Options{URL: address, Name: name})
	if err != nil {
		return nil, fmt.Errorf("open a plain publisher: %w", err)
	}
	return &publisher{bus: bus}, nil
}

func (p *publisher) emit(group, payload string) error {
	return p.publish(amqpbus.Message{Exchange: amqpbus.ExchangeEmit, Key: group, ID: rand.Text(), Mandatory: true, Body: []byte(payload)})
}

// publish sends m and waits for the broker's confirm.
func (p *publisher) publish(m amqpbus.Message) error {
	ctx, cancel := context.WithTimeout(context.Background(), emitWithin)
	defer cancel()
	if p.pub == nil {
		pub, err := p.bus.OpenPublisher(ctx, 100)
		if err != nil {
			return fmt.Errorf("open a channel: %w", err)
		}
		p.pub = pub
	}
	confirmed := make(chan error, 1)
	err := p.pub.Publish(ctx, m, func(err error) { confirmed <- err })
	if err == nil {
		select {
		case err = <-confirmed:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err != nil {
		_ = p.pub.Close()
		p.pub = nil
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}

func (p *publisher) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = p.bus.Close(ctx)
}

// Publish publishes to belfry.emit exactly what it is told to, as a backend.
func (in *Installation) Publish(t testing.TB, m Plain) {
	t.Helper()
	in.emitting.Lock()
	defer in.emitting.Unlock()
	if in.plain == nil {
		p, err := openPublisher(in.Broker.BackendURL(), "e2e-plain")
		if err != nil {
			t.Fatal(err)
		}
		in.plain = p
	}
	err := in.plain.publish(amqpbus.Message{
		Exchange: amqpbus.ExchangeEmit, Key: m.Group, ID: m.ID, Expiration: m.Expiration, Mandatory: true, Body: []byte(m.Payload),
	})
	if err != nil {
		t.Fatalf("publish to %s: %v", m.Group, err)
	}
}

// LoadEmitter is Belfry's own emitter for this installation.
func (in *Installation) LoadEmitter(t testing.TB) load.Emitter {
	t.Helper()
	e, err := emitter.Open(emitter.Options{URL: in.Broker.BackendURL(), Shards: in.shape.Shards, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = e.Close(ctx)
	})
	return e
}

// PlainEmitter publishes to belfry.emit without a message id, one emit after
// another for each caller.
func (in *Installation) PlainEmitter(t testing.TB) load.Emitter {
	t.Helper()
	bus, err := rabbit.Open(rabbit.Options{URL: in.Broker.BackendURL(), Name: "e2e-without-ids"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), emitWithin)
	defer cancel()
	pub, err := bus.OpenPublisher(ctx, 100)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = bus.Close(ctx)
	})
	return plainEmitter{pub}
}

type plainEmitter struct{ pub amqpbus.Publisher }

func (e plainEmitter) Emit(ctx context.Context, group string, payload []byte) error {
	confirmed := make(chan error, 1)
	m := amqpbus.Message{Exchange: amqpbus.ExchangeEmit, Key: group, Mandatory: true, Body: payload}
	if err := e.pub.Publish(ctx, m, func(err error) { confirmed <- err }); err != nil {
		return err
	}
	select {
	case err := <-confirmed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// PublishRaw publishes to belfry.emit, as a backend, with a header table of the
// caller's bytes.
func (in *Installation) PublishRaw(t testing.TB, m brokertest.RawMessage) {
	t.Helper()
	raw, err := brokertest.DialRaw(in.Broker.BackendURL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = raw.Close() }()
	m.Exchange = amqpbus.ExchangeEmit
	if err := raw.Publish(m); err != nil {
		t.Fatalf("publish to %s: %v", m.Key, err)
	}
}

// Pika emits with Debian's pika, a foreign AMQP client.
func (in *Installation) Pika(t testing.TB, group, payload string) {
	t.Helper()
	in.pika(t, amqpbus.ExchangeEmit, group, payload)
}

func (in *Installation) pika(t testing.TB, arguments ...string) {
	t.Helper()
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	arguments = append([]string{filepath.Join(root, "e2e", "harness", "pika_emit.py"), in.Broker.BackendURL()}, arguments...)
	cmd := exec.CommandContext(ctx, "/usr/bin/python3", arguments...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("emit with pika: %v\n%s", err, out)
	}
}
