package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.uber.org/zap"

	"belfry/pkg/exactjson"
	"belfry/pkg/protocol"
	"belfry/services/worker/internal/flight"
	"belfry/services/worker/internal/outbound"
	"belfry/services/worker/internal/recall"
	"belfry/services/worker/internal/turns"
)

// IntrospectionOptions says whom to ask about opaque tokens (RFC 7662).
type IntrospectionOptions struct {
	URL          string        // https, or http on loopback
	Insecure     bool          // http to any host is allowed: tokens travel readable
	CAFile       string        // PEM file of the authorities behind its certificate; empty: the system's
	ClientID     string        // sent by HTTP basic authentication
	ClientSecret string        //
	Timeout      time.Duration // of one question, waiting for a place included; zero: 2 s
	Parallel     int           // questions at a time; zero: 32
	Leeway       time.Duration // how far clocks may differ, for exp and nbf
	Cache        time.Duration // how long a good answer is believed; zero: nothing is
	Claims       ClaimNames
	Now          func() time.Time // nil: time.Now
	Logger       *zap.Logger      // nil: nothing is logged
	Metrics      *Metrics         // nil: nothing is counted
}

const (
	// maxRemembered bounds one generation of each cache.
	maxRemembered = 10_000
	// maxRefusal bounds how long a refusal is remembered: a new token may be
	// refused until all nodes of the issuer know it.
	maxRefusal = 5 * time.Second
)

// ErrBusy says that the server was not asked, because BELFRY_INTROSPECTION_PARALLEL
// other questions were still running when the time was up.
var ErrBusy = errors.New("too many tokens to ask about at a time: the server is slow, or BELFRY_INTROSPECTION_PARALLEL is too small")

// Introspection asks the authorization server about each token, Parallel at a time.
// The tokens of one client have at most half of these places, and clients take turns:
// whoever shows many tokens, which the server refuses, waits for himself. All who show
// the same token at the same time share one request. Accepted tokens are remembered
// for IntrospectionOptions.Cache, but never past their own expiry; refusals for at
// most maxRefusal, in a cache of their own, so that a flood of bad tokens cannot
// evict good ones; errors are not remembered. A token whose `exp` is absent, 0 or
// null does not expire.
type Introspection struct {
	options IntrospectionOptions
	client  *http.Client
	places  *turns.Pool // by client
	claims  *claimReader
	good    *recall.Cache[string, Identity] // by fingerprint
	bad     *recall.Cache[string, error]    // by fingerprint
	flights *flight.Group[Identity]         // by fingerprint
}

// NewIntrospection checks the options; nothing is asked yet.
func NewIntrospection(o IntrospectionOptions) (*Introspection, error) {
	if err := outbound.CheckURL(o.URL, o.Insecure); err != nil {
		return nil, fmt.Errorf("use the introspection address: %w", err)
	}
	if o.Timeout <= 0 {
		o.Timeout = 2 * time.Second
	}
	if o.Parallel <= 0 {
		o.Parallel = 32
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
	claims, err := newClaimReader(o.Claims, o.Logger, o.Metrics)
	if err != nil {
		return nil, err
	}
	client, err := outbound.NewClient(outbound.Options{Timeout: o.Timeout, Parallel: o.Parallel, CAFile: o.CAFile, Proxied: true, Logger: o.Logger})
	if err != nil {
		return nil, err
	}
	return &Introspection{
		options: o, client: client, places: turns.New(o.Parallel), claims: claims,
		good:    recall.New[string, Identity](maxRemembered, o.Cache, o.Now),
		bad:     recall.New[string, error](maxRemembered, min(o.Cache, maxRefusal), o.Now),
		flights: flight.NewGroup[Identity](o.Timeout),
	}, nil
}

// Close cancels the running requests, waits for them and closes idle connections.
func (i *Introspection) Close() {
	i.flights.Close()
	i.client.CloseIdleConnections()
}

// Forget drops all remembered answers, including those of requests that are still
// running: the next question about any token goes to the server.
func (i *Introspection) Forget() {
	i.flights.Forget()
	i.good.Forget()
	i.bad.Forget()
}

// Authenticate implements Authenticator.
func (i *Introspection) Authenticate(ctx context.Context, token protocol.Token, client string) (Identity, error) {
	if n := len(token.Reveal()); n == 0 || n > maxTokenBytes {
		return Identity{}, refused("it has %d bytes, 1 to %d are allowed", n, maxTokenBytes)
	}
	name := token.Fingerprint()
	ids, good, goodEra := i.good.Get(name)
	verdicts, bad, badEra := i.bad.Get(name)
	switch {
	case good[0]:
		i.options.Metrics.introspectionCached.Inc()
		return ids[0], nil
	case bad[0]:
		i.options.Metrics.introspectionCached.Inc()
		return Identity{}, verdicts[0]
	}
	f, started := i.flights.Join(name, func(ctx context.Context) (Identity, error) {
		id, err := i.ask(ctx, token, client)
		switch {
		case err == nil:
			id.Fingerprint = name
			i.good.Put(goodEra, recall.Entry[string, Identity]{Key: name, Value: id, Until: id.Expires})
		case errors.Is(err, ErrRefused):
			i.bad.Put(badEra, recall.Entry[string, error]{Key: name, Value: err})
		}
		return id, err
	})
	if !started {
		i.options.Metrics.introspectionShared.Inc()
	}
	return f.Wait(ctx)
}

// ask waits for a place, sends one question and judges the answer.
func (i *Introspection) ask(ctx context.Context, token protocol.Token, client string) (Identity, error) {
	if err := i.places.Acquire(ctx, client); err != nil {
		i.options.Metrics.introspectionBusy.Inc()
		return Identity{}, ErrBusy
	}
	claims, err := i.post(ctx, token)
	i.places.Release(client)
	if err != nil {
		i.options.Metrics.introspectionFailed.Inc()
		return Identity{}, err
	}
	i.options.Metrics.introspected.Inc()
	return i.judge(claims)
}

func (i *Introspection) post(ctx context.Context, token protocol.Token) (map[string]any, error) {
	form := url.Values{"token": {token.Reveal()}, "token_type_hint": {"access_token"}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, i.options.URL, strings.NewReader(form))
	if err != nil {
		return nil, errors.New("build the introspection request")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	if i.options.ClientID != "" {
		// RFC 6749 2.3.1: both are form-encoded before they are joined.
		req.SetBasicAuth(url.QueryEscape(i.options.ClientID), url.QueryEscape(i.options.ClientSecret))
	}
	answer, err := outbound.Fetch(ctx, i.client, req, maxAnswer)
	if err != nil {
		return nil, err
	}
	claims, err := exactjson.Object(answer.Body)
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s (%d bytes of %q): %w", req.URL.Host, len(answer.Body), answer.Kind, err)
	}
	if _, ok := claims["active"].(bool); !ok {
		return nil, fmt.Errorf(`read the answer of %s: it has no boolean "active"`, req.URL.Host)
	}
	return claims, nil
}
