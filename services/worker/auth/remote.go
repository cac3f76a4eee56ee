package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"belfry/services/worker/internal/flight"
	"belfry/services/worker/internal/outbound"
)

// When a key set from an address is fetched again.
const (
	jwksFresh   = 10 * time.Minute // a set is used this long without asking
	jwksRetry   = 5 * time.Second  // between attempts while fetching fails
	jwksUnknown = 10 * time.Second // between fetches because no key verifies a token
	jwksStale   = 24 * time.Hour   // an old set serves this long while fetching fails
	jwksTimeout = 3 * time.Second
	jwksTell    = time.Minute // between log lines while fetching fails
)

// Bounds of a key set from an address.
const (
	maxAnswer = 1 << 20 // bytes
	// maxWaiting bounds how many tokens may wait for a fetch because no known key
	// verifies them. Strangers can send such tokens, and each one that waits
	// occupies a place that another question could use.
	maxWaiting = 100
)

// Errors of find and renew; they are wrapped with the last failure.
var (
	errNoKeys  = errors.New("there is no key set: it has never been fetched, or was fetched more than 24 hours ago")
	errOldKeys = errors.New("the key set may be outdated: it cannot be fetched")
	errCrowd   = errors.New("too many tokens are waiting for the key set")
)

// RemoteOptions says where the keys of signed tokens are published.
type RemoteOptions struct {
	URL      string // https, or http on loopback
	Insecure bool   // http to any host is allowed
	CAFile   string // PEM file of the authorities behind its certificate; empty: the system's
	Now      func() time.Time
	Logger   *zap.Logger // nil: nothing is logged
	Metrics  *Metrics    // nil: nothing is counted
}

// RemoteKeys are the keys published at a JWKS address. They are fetched at first
// use, when the set is old, and, rate-limited because strangers can cause it, when
// no key verifies a token. At most one fetch runs at a time, and only tokens that
// the current set does not verify wait for it.
type RemoteKeys struct {
	options RemoteOptions
	client  *http.Client
	fetches *flight.Group[struct{}]

	mu      sync.Mutex
	set     keySet
	body    [sha256.Size]byte // of the answer that holds set
	version uint64            // counts answers that differ from the one before
	fetched time.Time         // the last good answer; zero: never
	tried   time.Time         // the last attempt's begin; zero: never
	probed  time.Time         // the last attempt because of a token; zero: never
	failure error             // of the last attempt
	told    time.Time         // the last line about a failure; zero: none since it worked
	waiting int               // tokens in renew
	running *flight.Flight[struct{}]
}

// NewRemoteKeys checks the options; nothing is fetched yet.
func NewRemoteKeys(o RemoteOptions) (*RemoteKeys, error) {
	if err := outbound.CheckURL(o.URL, o.Insecure); err != nil {
		return nil, fmt.Errorf("use the key set address: %w", err)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	client, err := outbound.NewClient(outbound.Options{Timeout: jwksTimeout, CAFile: o.CAFile, Proxied: true, Logger: o.Logger})
	if err != nil {
		return nil, err
	}
	return &RemoteKeys{options: o, client: client, fetches: flight.NewGroup[struct{}](jwksTimeout)}, nil
}

// Close ends a fetch and gives idle connections back.
func (r *RemoteKeys) Close() {
	r.fetches.Close()
	r.client.CloseIdleConnections()
}

// find waits for a fetch only if there is no key set at all.
func (r *RemoteKeys) find(ctx context.Context, kid, method string) ([]key, uint64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := r.options.Now(); !r.usableLocked() || now.Sub(r.fetched) >= jwksFresh {
		running := r.fetchLocked(now.Sub(r.tried) >= jwksRetry)
		if !r.usableLocked() && running != nil {
			if err := r.awaitLocked(ctx, running); err != nil {
				return nil, 0, err
			}
		}
	}
	if !r.usableLocked() {
		return nil, 0, errors.Join(errNoKeys, r.failure)
	}
	return match(r.set.keys, kid, method), r.version, nil
}

// renew waits for the running fetch, or starts one if the rate limit allows it.
func (r *RemoteKeys) renew(ctx context.Context, version uint64) (changed bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.version != version {
		return true, nil
	}
	now := r.options.Now()
	due := now.Sub(r.probed) >= jwksUnknown
	if r.failure != nil {
		due = now.Sub(r.tried) >= jwksRetry
	}
	running := r.fetchLocked(due)
	if running != nil {
		if r.waiting >= maxWaiting {
			return false, errCrowd
		}
		r.probed = now
		r.waiting++
		err := r.awaitLocked(ctx, running)
		r.waiting--
		if err != nil {
			return false, err
		}
	}
	if r.failure != nil {
		return false, errors.Join(errOldKeys, r.failure)
	}
	return r.version != version, nil
}

func (r *RemoteKeys) usableLocked() bool {
	return !r.fetched.IsZero() && r.options.Now().Sub(r.fetched) < jwksStale
}
