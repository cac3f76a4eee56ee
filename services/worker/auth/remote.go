package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// When a key set from an address is fetched again.
const (
	jwksFresh   = 10 * time.Minute // a set is used this long without asking
	jwksRetry   = 5 * time.Second  // between attempts while fetching fails
	jwksUnknown = 30 * time.Second // between fetches because of unknown kids
	jwksStale   = 24 * time.Hour   // an old set serves this long while fetching fails
	jwksTimeout = 3 * time.Second
)

var errNoKeys = errors.New("none was fetched, or it is too old")

// RemoteKeys are the keys of a JWKS address, fetched when needed: at first use,
// when the set is old, and when a token names an unknown kid, which strangers
// can do at will and is therefore rate-limited. One fetch runs at a time;
// whoever can be served by the set at hand does not wait for it.
type RemoteKeys struct {
	url    string
	client *http.Client
	now    func() time.Time

	mu      sync.Mutex
	keys    []key
	fetched time.Time     // of keys; zero: never
	tried   time.Time     // the last attempt's begin; zero: never
	running chan struct{} // closed when the running fetch ends; nil: none runs
	failure error         // of the last attempt
}

// NewRemoteKeys checks the address; nothing is fetched yet. now nil: time.Now.
func NewRemoteKeys(url string, now func() time.Time) (*RemoteKeys, error) {
	if err := CheckURL(url); err != nil {
		return nil, fmt.Errorf("use the key set address: %w", err)
	}
	if now == nil {
		now = time.Now
	}
	return &RemoteKeys{url: url, client: newClient(jwksTimeout), now: now}, nil
}

// Close gives idle connections back.
func (r *RemoteKeys) Close() { r.client.CloseIdleConnections() }

func (r *RemoteKeys) find(ctx context.Context, kid, method string) ([]key, error) {
	if err := r.ensure(ctx, r.due); err != nil {
		return nil, err
	}
	if found := r.match(kid, method); len(found) > 0 {
		return found, nil
	}
	if err := r.ensure(ctx, r.dueForUnknown); err != nil {
		return nil, err
	}
	return r.match(kid, method), nil
}

func (r *RemoteKeys) match(kid, method string) []key {
	r.mu.Lock()
	defer r.mu.Unlock()
	return match(r.keys, kid, method)
}

// due: the set is missing or old, and the last attempt is not too near.
func (r *RemoteKeys) due() bool {
	now := r.now()
	old := r.fetched.IsZero() || now.Sub(r.fetched) >= jwksFresh
	return old && (r.tried.IsZero() || now.Sub(r.tried) >= jwksRetry)
}

// dueForUnknown: a token names what the set does not have.
func (r *RemoteKeys) dueForUnknown() bool { return r.now().Sub(r.tried) >= jwksUnknown }

// ensure fetches if due says so, or waits for a running fetch if there is no
// usable set. It returns an error when there is none afterwards either.
func (r *RemoteKeys) ensure(ctx context.Context, due func() bool) error {
	r.mu.Lock()
	switch {
	case r.running != nil && r.usableLocked():
		r.mu.Unlock()
		return nil
	case r.running != nil:
		running := r.running
		r.mu.Unlock()
		select {
		case <-running:
		case <-ctx.Done():
			return fmt.Errorf("wait for the key set: %w", ctx.Err())
		}
		r.mu.Lock()
	case due():
		r.fetchLocked(ctx)
	}
	defer r.mu.Unlock()
	if r.usableLocked() {
		return nil
	}
	return fmt.Errorf("have no key set: %w", errors.Join(errNoKeys, r.failure))
}

func (r *RemoteKeys) usableLocked() bool {
	return !r.fetched.IsZero() && r.now().Sub(r.fetched) < jwksStale
}

// fetchLocked releases mu while it fetches. It is not cut short by the one
// question that happened to cause it: others wait for it too.
func (r *RemoteKeys) fetchLocked(ctx context.Context) {
	running := make(chan struct{})
	r.running, r.tried = running, r.now()
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), jwksTimeout)
	defer cancel()
	keys, err := r.fetch(ctx)
	r.mu.Lock()
	defer close(running)
	r.running, r.failure = nil, err
	if err == nil {
		r.keys, r.fetched = keys, r.now()
	}
}

func (r *RemoteKeys) fetch(ctx context.Context) ([]key, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url, nil)
	if err != nil {
		return nil, fmt.Errorf("build the key set request: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	body, err := fetch(ctx, r.client, req)
	if err != nil {
		return nil, err
	}
	keys, err := parseJWKS(body, secretsIgnored)
	if err != nil {
		return nil, fmt.Errorf("read the key set of %s: %w", req.URL.Host, err)
	}
	return keys, nil
}
