package check

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"belfry/cmd/belfry/internal/listen"
	"belfry/pkg/protocol"
)

// tryWithin is how long one event may take all the way, the handshake included.
const tryWithin = 20 * time.Second

// Try is an event that is sent all the way: emitted, routed, delivered.
type Try struct {
	URL   string // of the websocket
	Token string
	Group protocol.Group
	Emit  func(ctx context.Context, group protocol.Group, payload []byte) error
}

// awaited receives the events of the group, and ends the listening when the emitted one
// arrives. Other events may come, too.
type awaited struct {
	payload string
	cancel  context.CancelFunc

	mu   sync.Mutex
	came bool // guarded by mu; the event has arrived
}

func (a *awaited) Write(line []byte) (int, error) {
	if strings.TrimSpace(string(line)) == a.payload {
		a.mu.Lock()
		a.came = true
		a.mu.Unlock()
		a.cancel()
	}
	return len(line), nil
}

func (a *awaited) arrived() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.came
}

// run opens the websocket, subscribes to the group, emits an event to it once the
// subscription is active, and waits until the event arrives.
func (t *Try) run(ctx context.Context, r *report) {
	ctx, cancel := context.WithTimeout(ctx, tryWithin)
	defer cancel()
	event := &awaited{
		payload: fmt.Sprintf(`{"group_name":%q,"belfry_check":%q}`, t.Group.Name(), protocol.NewIncarnation()),
		cancel:  cancel,
	}
	emitted := make(chan error, 1)
	began := false
	var said []string // used by the listener, which calls Say on one goroutine
	err := listen.Run(ctx, listen.Options{
		URL: t.URL, Token: t.Token, Groups: []protocol.Group{t.Group}, Out: event,
		Say: func(format string, args ...any) {
			said = append(said, fmt.Sprintf(format, args...))
			if began || !strings.HasPrefix(format, "listening to") {
				return
			}
			began = true
			go func() {
				err := t.Emit(ctx, t.Group, []byte(event.payload))
				if err != nil {
					cancel()
				}
				emitted <- err
			}()
		},
	})
	if event.arrived() {
		_ = <-emitted // Emit may still be waiting for the broker's confirm; it was cancelled
		r.good("websocket: an event to %s was emitted, routed and delivered by %s", t.Group, t.URL)
		return
	}
	if began {
		if refused := <-emitted; refused != nil {
			r.bad("websocket", fmt.Errorf("subscribed to %s, but the event could not be emitted: %w", t.Group, refused))
			return
		}
		r.bad("websocket", fmt.Errorf("subscribed to %s, and the broker has confirmed the event, but it did not arrive within %v: see belfry dead, and the logs of worker and gateway", t.Group, tryWithin))
		return
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.New("no subscription within " + tryWithin.String())
	}
	if len(said) > 0 {
		err = fmt.Errorf("%w (%s)", err, strings.Join(said, "; "))
	}
	r.bad("websocket", fmt.Errorf("%s: %w", t.URL, err))
}
