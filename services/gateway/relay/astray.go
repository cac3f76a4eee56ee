package relay

import (
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"belfry/pkg/amqpbus"
)

// astrayFor is how long new clients are kept away after a question came back,
// when nothing says earlier that the way is there again: the next one tries.
const astrayFor = 30 * time.Second

// astray knows whether questions reach the workers' queue. One that the broker
// returns says that somebody has deleted the queue, its binding or its exchange.
type astray struct {
	r *Relay

	mu    sync.Mutex
	until time.Time // guarded by mu; zero: questions arrive
}

// published is told how the broker took a question or a report.
func (a *astray) published(err error) {
	switch {
	case err == nil:
		a.found("a message of this gateway arrived there")
	case errors.Is(err, amqpbus.ErrUnroutable):
		a.lost()
		a.r.keep.Soon()
	}
}

// looked is told when everything was declared again.
func (a *astray) looked(err error) {
	if err == nil {
		a.found("it was declared again")
	}
}

func (a *astray) lost() {
	a.mu.Lock()
	first := a.until.IsZero()
	a.until = time.Now().Add(astrayFor)
	a.mu.Unlock()
	if first {
		a.r.log.Warn("not ready: questions to workers come back; their queue was deleted and is declared again", zap.String("queue", amqpbus.QueueQuestions))
	}
}

func (a *astray) found(why string) {
	a.mu.Lock()
	was := !a.until.IsZero()
	a.until = time.Time{}
	a.mu.Unlock()
	if was {
		a.r.log.Info("questions reach the workers' queue again: " + why)
	}
}

const astrayReason = "questions to workers come back: queue or exchange belfry.session, or the binding between them, was deleted; it is declared again, and belfry check says what stands in the way"

// reason says why no handshake can be decided; empty: it can.
func (a *astray) reason(now time.Time) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Before(a.until) {
		return astrayReason
	}
	return ""
}
