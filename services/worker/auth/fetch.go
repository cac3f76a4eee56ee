package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"

	"go.uber.org/zap"

	"belfry/services/worker/internal/flight"
	"belfry/services/worker/internal/outbound"
)

// fetchLocked returns the running fetch. If there is none and may is true, it
// starts one; otherwise it returns nil.
func (r *RemoteKeys) fetchLocked(may bool) *flight.Flight[struct{}] {
	if r.running == nil && may {
		r.tried = r.options.Now()
		r.running, _ = r.fetches.Join("", r.fetch)
	}
	return r.running
}

// awaitLocked releases mu while it waits for a fetch to end. A failure of the
// fetch itself is not an error here; it is kept in r.failure.
func (r *RemoteKeys) awaitLocked(ctx context.Context, f *flight.Flight[struct{}]) error {
	r.mu.Unlock()
	defer r.mu.Lock()
	_, err := f.Wait(ctx)
	return err
}

// fetch requests the key set once and stores the result: the set or the failure.
func (r *RemoteKeys) fetch(ctx context.Context) (struct{}, error) {
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.running = nil
	}()
	body, set, err := r.ask(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.failedLocked(err)
		return struct{}{}, nil
	}
	if r.failure != nil {
		r.options.Logger.Info("key set fetched again after failures")
	}
	r.failure, r.fetched = nil, r.options.Now()
	r.options.Metrics.fetched.Inc()
	r.options.Metrics.keys.Set(float64(len(set.keys)))
	r.options.Metrics.keysSkipped.Set(float64(set.skipped))
	if sum := sha256.Sum256(body); r.version == 0 || sum != r.body {
		r.set, r.body = set, sum
		r.version++
		set.logSkipped(r.options.Logger, r.host())
	}
	return struct{}{}, nil
}

// failedLocked stores a failure and logs it at most once a minute.
func (r *RemoteKeys) failedLocked(err error) {
	r.options.Metrics.fetchFailed.Inc()
	first, now := r.failure == nil, r.options.Now()
	r.failure = err
	if !first && now.Sub(r.told) < jwksTell {
		return
	}
	r.told = now
	if !r.usableLocked() {
		r.options.Logger.Warn("cannot fetch the key set: no token can be checked until BELFRY_JWT_KEYS_URL answers", zap.Error(err))
		return
	}
	r.options.Logger.Warn("cannot fetch the key set: tokens signed with new keys are turned away until BELFRY_JWT_KEYS_URL answers, those of known keys still work",
		zap.Error(err), zap.Duration("age", now.Sub(r.fetched)), zap.Duration("serves_for", jwksStale-now.Sub(r.fetched)))
}

func (r *RemoteKeys) ask(ctx context.Context) (body []byte, set keySet, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.options.URL, nil)
	if err != nil {
		return nil, keySet{}, errors.New("build the key set request")
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	answer, err := outbound.Fetch(ctx, r.client, req, maxAnswer)
	if err != nil {
		return nil, keySet{}, err
	}
	set, err = parseJWKS(answer.Body, secretsIgnored)
	if err != nil {
		return nil, keySet{}, fmt.Errorf("read the key set of %s (%d bytes of %q): %w", req.URL.Host, len(answer.Body), answer.Kind, err)
	}
	return answer.Body, set, nil
}

// host is the part of the address that logs may show: a query could hold a secret.
func (r *RemoteKeys) host() string { return outbound.Host(r.options.URL) }
