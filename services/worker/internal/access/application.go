package access

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.uber.org/zap"

	"belfry/pkg/protocol"
	"belfry/services/worker/auth"
	"belfry/services/worker/internal/flight"
	"belfry/services/worker/internal/outbound"
	"belfry/services/worker/internal/turns"
)

// ApplicationOptions says whom to ask about groups, and how patiently.
type ApplicationOptions struct {
	URL      string        // gets POST {"user": 7, "groups": [...]}, answers {"allowed": [...]}
	Secret   string        // sent as a bearer token; empty: none
	CAFile   string        // PEM file of the authorities behind its certificate; empty: the system's
	Timeout  time.Duration // of one question, waiting for a place included; zero: 2 s
	Parallel int           // questions at a time; zero: 32
	Cache    time.Duration // how long an answer is believed; zero: not at all
	Now      func() time.Time
	Logger   *zap.Logger
	Metrics  *Metrics
}

// ErrBusy says that the application was not asked, because BELFRY_AUTHORIZE_PARALLEL
// other questions were still running when the time was up.
var ErrBusy = errors.New("too many questions to the application at a time: it is slow, or BELFRY_AUTHORIZE_PARALLEL is too small")

// Application asks the application, with one HTTP POST for the groups of one
// client message that are not in the cache. At most Parallel questions run at a
// time, of one user at most half of them, and users take turns; the same question of
// the same user and token in flight is asked once.
// Answers are cached per user, token and group, errors never. Close ends the
// questions in flight.
type Application struct {
	options ApplicationOptions
	client  *http.Client
	places  *turns.Pool
	cache   cache
	flights *flight.Group[map[protocol.Group]bool]
}

// NewApplication starts nothing; Close it all the same. Its error names CAFile.
func NewApplication(o ApplicationOptions) (*Application, error) {
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
	client, err := outbound.NewClient(outbound.Options{Timeout: o.Timeout, Parallel: o.Parallel, CAFile: o.CAFile, Logger: o.Logger})
	if err != nil {
		return nil, err
	}
	return &Application{
		options: o,
		client:  client,
		places:  turns.New(o.Parallel),
		cache:   newCache(o.Cache, o.Now),
		flights: flight.NewGroup[map[protocol.Group]bool](o.Timeout),
	}, nil
}

// Close ends the questions in flight with an error and waits for them.
func (a *Application) Close() {
	a.flights.Close()
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
	f, started := a.flights.Join(flightName(who, open), func(ctx context.Context) (map[protocol.Group]bool, error) {
		allowed, err := a.fly(ctx, id.User, open)
		if err != nil {
			a.options.Logger.Warn("the application did not answer a question about groups: the client is told to try again", zap.Error(err))
			return nil, err
		}
		a.cache.put(era, who, open, allowed)
		return allowed, nil
	})
	if !started {
		a.options.Metrics.shared.Inc()
	}
	allowed, err := f.Wait(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask the application: %w", err)
	}
	for _, g := range open {
		known[g] = allowed[g]
	}
	return known, nil
}

// Forget drops all remembered answers, including those of requests that are still
// running: the next question about any group goes to the application. Callers that
// already wait get their answer.
func (a *Application) Forget() {
	a.flights.Forget()
	a.cache.Forget()
}

// fly waits for a free place in the pool and then asks.
func (a *Application) fly(ctx context.Context, user json.RawMessage, groups []protocol.Group) (map[protocol.Group]bool, error) {
	begin := time.Now()
	if err := a.places.Acquire(ctx, string(user)); err != nil {
		a.options.Metrics.busy.Inc()
		return nil, ErrBusy
	}
	defer a.places.Release(string(user))
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
