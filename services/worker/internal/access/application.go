package access

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"belfry/pkg/protocol"
	"belfry/services/worker/auth"
)

// ApplicationOptions says whom to ask about groups, and how patiently.
type ApplicationOptions struct {
	URL      string        // gets POST {"user": 7, "groups": [...]}, answers {"allowed": [...]}
	Secret   string        // sent as a bearer token; empty: none
	Timeout  time.Duration // of one question, waiting for a place included; zero: 2 s
	Parallel int           // questions at a time; zero: 32
	Cache    time.Duration // how long an answer is believed; zero: not at all
	Now      func() time.Time
	Logger   *zap.Logger
	Metrics  *Metrics
}

// ErrBusy says that no place in the pool became free in time.
var ErrBusy = errors.New("too many questions to the application at a time")

// errStopped ends the questions of an Application that was closed.
var errStopped = errors.New("the worker is stopping")

// Application asks the application, with one HTTP POST for the groups of one
// client message that are not in the cache. At most Parallel questions run at a
// time; the same question of the same user and token in flight is asked once.
// Answers are cached per user, token and group, errors never.
//
// Each flight has a goroutine of its own, bounded by Timeout, because several
// callers may wait for it; Close ends and awaits them.
type Application struct {
	options ApplicationOptions
	client  *http.Client
	places  chan struct{}
	cache   *cache

	ctx  context.Context // of all flights
	stop context.CancelCauseFunc
	done sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	flights map[string]*flight
}

// flight is one question on its way; allowed and err are set before landed is
// closed, and never changed after.
type flight struct {
	landed  chan struct{}
	allowed map[protocol.Group]bool
	err     error
}

// NewApplication starts nothing; Close it all the same.
func NewApplication(o ApplicationOptions) *Application {
	if o.Timeout <= 0 {
		o.Timeout = 2 * time.Second
	}
	if o.Parallel <= 0 {
		o.Parallel = 32
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	ctx, stop := context.WithCancelCause(context.Background())
	return &Application{
		options: o,
		client:  newClient(o.Timeout, o.Parallel),
		places:  make(chan struct{}, o.Parallel),
		cache:   newCache(o.Cache, o.Now),
		ctx:     ctx,
		stop:    stop,
		flights: map[string]*flight{},
	}
}

// Close ends the questions in flight with an error and waits for them.
func (a *Application) Close() {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.stop(errStopped)
	a.done.Wait()
	a.client.CloseIdleConnections()
}

// Ask implements Asker.
func (a *Application) Ask(ctx context.Context, id auth.Identity, groups []protocol.Group) (map[protocol.Group]bool, error) {
	who := string(id.User) + "\x00" + id.Fingerprint
	known, open, era := a.cache.split(who, groups)
	if len(open) == 0 {
		a.options.Metrics.cached.Inc()
		return known, nil
	}
	f, err := a.join(era, who, id.User, open)
	if err != nil {
		return nil, err
	}
	select {
	case <-f.landed:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the application: %w", ctx.Err())
	}
	if f.err != nil {
		return nil, f.err
	}
	for _, g := range open {
		known[g] = f.allowed[g]
	}
	return known, nil
}

// Forget drops what the application has said, also in answers that are on their
// way: the next question about any group is asked. Questions at hand keep theirs.
func (a *Application) Forget() {
	a.mu.Lock()
	a.flights = map[string]*flight{}
	a.mu.Unlock()
	a.cache.forget()
}

// join finds the flight of this very question, or starts one.
func (a *Application) join(era uint64, who string, user json.RawMessage, groups []protocol.Group) (*flight, error) {
	name := flightName(who, groups)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil, errStopped
	}
	if f, found := a.flights[name]; found {
		a.options.Metrics.shared.Inc()
		return f, nil
	}
	f := &flight{landed: make(chan struct{})}
	a.flights[name] = f
	a.done.Go(func() {
		f.allowed, f.err = a.fly(user, groups)
		if f.err == nil {
			a.cache.put(era, who, groups, f.allowed)
		} else {
			a.options.Logger.Warn("application not answering about groups", zap.Error(f.err))
		}
		a.mu.Lock()
		if a.flights[name] == f {
			delete(a.flights, name)
		}
		a.mu.Unlock()
		close(f.landed)
	})
	return f, nil
}

// fly waits for a place and asks.
func (a *Application) fly(user json.RawMessage, groups []protocol.Group) (map[protocol.Group]bool, error) {
	begin := time.Now()
	ctx, cancel := context.WithTimeout(a.ctx, a.options.Timeout)
	defer cancel()
	select {
	case a.places <- struct{}{}:
		defer func() { <-a.places }()
	case <-ctx.Done():
		a.options.Metrics.busy.Inc()
		return nil, ErrBusy
	}
	allowed, err := a.post(ctx, user, groups)
	a.options.Metrics.observe(err, time.Since(begin))
	return allowed, err
}

// flightName tells questions apart. A group holds no control character, so a
// zero byte divides.
func flightName(who string, groups []protocol.Group) string {
	h := sha256.New()
	_, _ = h.Write([]byte(who))
	for _, g := range groups {
		_, _ = h.Write([]byte{0})
		_, _ = h.Write([]byte(g))
	}
	return hex.EncodeToString(h.Sum(nil))
}
