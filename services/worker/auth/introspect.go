package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"belfry/pkg/protocol"
)

// IntrospectionOptions says whom to ask about opaque tokens (RFC 7662).
type IntrospectionOptions struct {
	URL          string        // https, or http on loopback
	ClientID     string        // sent by HTTP basic authentication
	ClientSecret string        //
	Timeout      time.Duration // of one question; zero: 2 s
	Cache        time.Duration // how long a good answer is believed; zero: not at all
	Claims       ClaimNames
	Now          func() time.Time // nil: time.Now
}

// maxRemembered bounds the cache; above it everything is asked again.
const maxRemembered = 10_000

// Introspection asks the authorization server about each token. Good answers
// are remembered shortly, and never beyond the token's own expiry; refusals and
// errors are not. A token without `exp` does not expire.
type Introspection struct {
	options IntrospectionOptions
	client  *http.Client

	mu         sync.Mutex
	remembered map[string]remembered // by fingerprint
	forgotten  uint64                // counts Forget
}

type remembered struct {
	identity Identity
	until    time.Time
}

// NewIntrospection checks the options; nothing is asked yet.
func NewIntrospection(o IntrospectionOptions) (*Introspection, error) {
	if err := CheckURL(o.URL); err != nil {
		return nil, fmt.Errorf("use the introspection address: %w", err)
	}
	if o.Timeout <= 0 {
		o.Timeout = 2 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Introspection{options: o, client: newClient(o.Timeout), remembered: map[string]remembered{}}, nil
}

// Close gives idle connections back.
func (i *Introspection) Close() { i.client.CloseIdleConnections() }

// Forget drops the answers that are remembered, and those on their way: the next
// question about any token is asked.
func (i *Introspection) Forget() {
	i.mu.Lock()
	defer i.mu.Unlock()
	clear(i.remembered)
	i.forgotten++
}

// Authenticate implements Authenticator.
func (i *Introspection) Authenticate(ctx context.Context, token protocol.Token) (Identity, error) {
	if n := len(token.Reveal()); n == 0 || n > maxTokenBytes {
		return Identity{}, refused("it has %d bytes, 1 to %d are allowed", n, maxTokenBytes)
	}
	fingerprint := token.Fingerprint()
	id, era, found := i.recall(fingerprint)
	if found {
		return id, nil
	}
	claims, err := i.ask(ctx, token)
	if err != nil {
		return Identity{}, err
	}
	if id, err = i.judge(claims); err != nil {
		return Identity{}, err
	}
	id.Fingerprint = fingerprint
	i.remember(era, id)
	return id, nil
}

func (i *Introspection) ask(ctx context.Context, token protocol.Token) (map[string]any, error) {
	form := url.Values{"token": {token.Reveal()}, "token_type_hint": {"access_token"}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, i.options.URL, strings.NewReader(form))
	if err != nil {
		return nil, fmt.Errorf("build the introspection request: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	if i.options.ClientID != "" {
		// RFC 6749 2.3.1: both are form-encoded before they are joined.
		req.SetBasicAuth(url.QueryEscape(i.options.ClientID), url.QueryEscape(i.options.ClientSecret))
	}
	body, err := fetch(ctx, i.client, req)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var claims map[string]any
	if err := dec.Decode(&claims); err != nil {
		return nil, fmt.Errorf("read the answer of %s: it is not a JSON object", req.URL.Host)
	}
	if _, ok := claims["active"].(bool); !ok {
		return nil, fmt.Errorf(`read the answer of %s: it has no boolean "active"`, req.URL.Host)
	}
	return claims, nil
}

func (i *Introspection) judge(claims map[string]any) (Identity, error) {
	if claims["active"] != true {
		return Identity{}, refused("it is not active")
	}
	now := i.options.Now()
	begins, err := unixClaim(claims, "nbf")
	if err != nil {
		return Identity{}, err
	}
	if begins.After(now) {
		return Identity{}, refused("it is not valid yet")
	}
	ends, err := unixClaim(claims, "exp")
	if err != nil {
		return Identity{}, err
	}
	if !ends.IsZero() && !ends.After(now) {
		return Identity{}, refused("it has expired")
	}
	id, err := i.options.Claims.read(claims)
	id.Expires = ends
	return id, err
}

// unixClaim reads seconds since 1970; an absent claim is the zero time.
func unixClaim(claims map[string]any, name string) (time.Time, error) {
	value, found := claims[name]
	if !found || value == nil {
		return time.Time{}, nil
	}
	number, ok := value.(json.Number)
	if !ok {
		return time.Time{}, fmt.Errorf("read the introspection answer: %s is not a number", name)
	}
	seconds, err := number.Float64()
	if err != nil || seconds < 0 {
		return time.Time{}, errors.Join(fmt.Errorf("read the introspection answer: %s is out of range", name), err)
	}
	if seconds >= float64(maxExpiry.Unix()) {
		return maxExpiry, nil
	}
	return time.Unix(int64(seconds), 0), nil
}

func (i *Introspection) recall(fingerprint string) (id Identity, era uint64, found bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	r, found := i.remembered[fingerprint]
	if !found {
		return Identity{}, i.forgotten, false
	}
	if !i.options.Now().Before(r.until) {
		delete(i.remembered, fingerprint)
		return Identity{}, i.forgotten, false
	}
	return r.identity, i.forgotten, true
}

func (i *Introspection) remember(era uint64, id Identity) {
	if i.options.Cache <= 0 {
		return
	}
	until := i.options.Now().Add(i.options.Cache)
	if !id.Expires.IsZero() && id.Expires.Before(until) {
		until = id.Expires
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if era != i.forgotten {
		return
	}
	if len(i.remembered) >= maxRemembered {
		clear(i.remembered)
	}
	i.remembered[id.Fingerprint] = remembered{id, until}
}
