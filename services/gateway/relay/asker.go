package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/packer"
	"belfry/pkg/protocol"
)

const (
	// answerWithin bounds the wait for a worker's decision. The question expires
	// in the queue after the same time, so that no worker answers a client that
	// has gone.
	answerWithin = 5 * time.Second
	// questionWindow bounds the unconfirmed questions and report batches.
	questionWindow = 512
)

// asker publishes questions and matches the decisions to them. Questions that wait
// for the broker at the same time are sent as one message.
type asker struct {
	r     *Relay
	packs *packer.Packer

	mu      sync.Mutex
	last    protocol.QuestionID               // guarded by mu
	pending map[protocol.QuestionID]*question // guarded by mu
	pub     amqpbus.Publisher                 // guarded by mu; nil while there is none
	changed chan struct{}                     // guarded by mu; closed when pub changes
}

// question is a question without an answer. answer has room for the one answer that
// it will get.
type question struct {
	conn   protocol.ConnID
	answer chan outcome
}

type outcome struct {
	decision protocol.Decision
	err      error
}

func newAsker(r *Relay) *asker {
	a := &asker{r: r, pending: map[protocol.QuestionID]*question{}, changed: make(chan struct{})}
	a.packs = packer.New(a.publish)
	return a
}

// Connect asks whether a token may open a connection. It answers within 5 s;
// an error means that no worker could decide.
func (r *Relay) Connect(ctx context.Context, conn protocol.ConnID, token protocol.Token, remote string) (protocol.Decision, error) {
	return r.ask.ask(ctx, conn, protocol.TypeConnect, func(id protocol.QuestionID) []byte {
		return protocol.Connect{Gateway: r.o.Gateway, Conn: conn, Question: id, Token: token, Remote: remote}.Encode()
	})
}

// Authorize asks which of the groups a connection may see, within the same time.
// identity comes from the accepting decision.
func (r *Relay) Authorize(ctx context.Context, conn protocol.ConnID, identity json.RawMessage, groups []protocol.Group) (protocol.Decision, error) {
	return r.ask.ask(ctx, conn, protocol.TypeSubscribe, func(id protocol.QuestionID) []byte {
		return protocol.Encode(protocol.Subscribe{Gateway: r.o.Gateway, Conn: conn, Question: id, Identity: identity, Groups: groups})
	})
}

func (a *asker) ask(ctx context.Context, conn protocol.ConnID, kind string, body func(protocol.QuestionID) []byte) (protocol.Decision, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	started := time.Now()
	id, q := a.enter(conn)
	defer a.leave(id)
	d, err := a.decided(ctx, q, amqpbus.Message{
		Exchange: amqpbus.ExchangeQuestions, Key: amqpbus.QueueQuestions, Type: kind,
		ReplyTo: string(a.r.o.Gateway), Mandatory: true, Body: body(id),
	})
	a.r.metrics.asked(kind, err, started)
	return d, err
}

// decided publishes the question and waits for the decision. When the link to the
// broker is lost the question may be lost with it, so it is published again on the
// next link, within ctx. It does no harm to decide twice.
func (a *asker) decided(ctx context.Context, q *question, m amqpbus.Message) (protocol.Decision, error) {
	deadline, _ := ctx.Deadline()
	for {
		m.Expiration = max(time.Until(deadline).Round(time.Millisecond), time.Millisecond)
		a.packs.Send(ctx, m, func(err error) {
			a.r.astray.published(err)
			if err != nil {
				q.resolve(outcome{err: fmt.Errorf("publish the question: %w", err)})
			}
		})
		select {
		case o := <-q.answer:
			if errors.Is(o.err, amqpbus.ErrLinkLost) {
				continue
			}
			return o.decision, o.err
		case <-ctx.Done():
			return protocol.Decision{}, fmt.Errorf("no worker answered in time: %w", ctx.Err())
		}
	}
}

// resolve gives the question its answer; only the first one counts.
func (q *question) resolve(o outcome) {
	select {
	case q.answer <- o:
	default:
	}
}

func (a *asker) enter(conn protocol.ConnID) (protocol.QuestionID, *question) {
	q := &question{conn: conn, answer: make(chan outcome, 1)}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last++
	a.pending[a.last] = q
	return a.last, q
}

func (a *asker) leave(id protocol.QuestionID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.pending, id)
}

// answered delivers a decision to its question. Late decisions are counted.
func (a *asker) answered(d protocol.Decision) {
	a.mu.Lock()
	q := a.pending[d.Question]
	a.mu.Unlock()
	if q == nil || q.conn != d.Conn {
		a.r.metrics.late.Inc()
		return
	}
	q.resolve(outcome{decision: d})
}

// once keeps a publisher open for questions and reports.
func (a *asker) once(ctx context.Context) error {
	if err := a.r.o.Bus.Declare(ctx, a.r.topology()); err != nil {
		return fmt.Errorf("declare the topology: %w", err)
	}
	pub, err := a.r.o.Bus.OpenPublisher(ctx, questionWindow)
	if err != nil {
		return fmt.Errorf("open the publisher: %w", err)
	}
	defer func() { _ = pub.Close() }()
	a.set(pub)
	defer a.set(nil)
	select {
	case <-pub.Done():
		return fmt.Errorf("the publisher was lost: %w", amqpbus.ErrLinkLost)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (a *asker) set(pub amqpbus.Publisher) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pub = pub
	close(a.changed)
	a.changed = make(chan struct{})
}

// up reports that there is a publisher.
func (a *asker) up() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.pub != nil
}

// publish waits for a publisher and publishes on it, within ctx.
func (a *asker) publish(ctx context.Context, m amqpbus.Message, done func(error)) error {
	for {
		a.mu.Lock()
		pub, changed := a.pub, a.changed
		a.mu.Unlock()
		if pub != nil {
			err := pub.Publish(ctx, m, done)
			if err == nil || !errors.Is(err, amqpbus.ErrLinkLost) && !errors.Is(err, amqpbus.ErrClosed) {
				return err
			}
			// Nothing was sent: try again with the next publisher.
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for a connection to the broker: %w", ctx.Err())
		}
	}
}
