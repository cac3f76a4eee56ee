package blackbox

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"belfry/e2e/harness"
	"belfry/e2e/wsclient"
)

// provider is an identity provider inside a network of its own: its certificate
// is by an authority that no system knows, its keys have no names, and beside
// them there are keys that nobody understands.
type provider struct {
	*httptest.Server
	keys   atomic.Pointer[string] // nil: it fails
	asked  atomic.Int64
	caFile string
}

const oddKeys = `{"kty":"RSA","kid":7},{"kty":"AKP","alg":"ML-DSA-65","pub":"AA"},{"kty":"RSA","use":"enc","n":"AQAB","e":"AQAB"},null`

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{}
	p.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.asked.Add(1)
		keys := p.keys.Load()
		if keys == nil {
			http.Error(w, "<html>maintenance</html>", http.StatusBadGateway)
			return
		}
		_, _ = fmt.Fprintf(w, `{"keys":[%s,%s]}`, oddKeys, *keys)
	}))
	t.Cleanup(p.Close)
	p.caFile = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(p.caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// publish makes it the only key that can be understood.
func (p *provider) publish(key ed25519.PrivateKey) {
	text := fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","x":%q}`, base64.RawURLEncoding.EncodeToString(key[ed25519.PublicKeySize:]))
	p.keys.Store(&text)
}

// sign makes a token without a kid, its alg as RFC 9864 spells it.
func sign(t *testing.T, in *harness.Installation, key ed25519.PrivateKey, claims map[string]any) string {
	t.Helper()
	claims["exp"] = time.Now().Add(time.Hour).Unix()
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"Ed25519"}`)) + "." + base64.RawURLEncoding.EncodeToString(body)
	token := text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(text)))
	in.Secret(token)
	return token
}

// TestIdentityProvider runs a worker beside a provider as they are: odd keys,
// a private authority, a rotation without names, a failure, and roles inside of
// an object.
func TestIdentityProvider(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	p := newProvider(t)
	_, first, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p.publish(first)
	in := harness.Start(t, harness.Shape{Gateways: 1, Workers: 1, Shards: 1, Env: append([]string{
		"BELFRY_TOKENS_FILE=", "BELFRY_JWT_KEYS_URL=" + p.URL + "/realms/tower/keys?client=belfry", "BELFRY_JWT_KEYS_CA_FILE=" + p.caFile,
		"BELFRY_GROUPS_CLAIM=realm_access.roles",
	}, debug...)})
	roles := func(user any, roles any) map[string]any {
		return map[string]any{"sub": user, "realm_access": map[string]any{"roles": roles}}
	}
	old := sign(t, in, first, roles(7, []any{"job_events-42", 9}))
	c := open(t, in, 0, old)
	c.ask(`{"groups": {"job_events": [42]}}`, reply([]string{"job_events-42"}, nil, []string{"job_events-42"}))

	p.keys.Store(nil)
	_, second, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("u", 255)
	rotated := sign(t, in, second, roles(long, map[string]any{"job_events": "*"}))
	refused(t, in, wsclient.Request{Token: rotated}, 503) // it may be of a new key
	open(t, in, 0, old)
	worker := in.Workers[0]
	if n := strings.Count(worker.Log(), "cannot fetch the key set"); n != 1 {
		t.Errorf("the worker's log says %d times that it cannot fetch the key set, want 1", n)
	}
	if strings.Contains(worker.Log(), "client=belfry") {
		t.Error("the worker's log shows the address's query")
	}

	p.publish(second)
	c = p.patient(t, in, rotated)
	c.send(`{"groups": {"job_events": [42]}}`)
	c.expect(`{"error": "access denied to channel job_events for resource id 42"}`)
	c = accepted(t, in, wsclient.Request{Token: old}) // its key was withdrawn
	c.expect(`{"accept": false, "user": null}`)
	c.expectClose(4401)
	if n := worker.Metric(t, `belfry_worker_key_set_keys_skipped`); n != 3 {
		t.Errorf("%v keys were passed over, want 3", n)
	}
	for reason, want := range map[string]float64{"item": 2, "shape": 1} {
		if n := worker.Metric(t, `belfry_worker_claims_ignored_total{reason="`+reason+`"}`); n != want {
			t.Errorf("%v parts of claims were ignored for %q, want %v", n, reason, want)
		}
	}
}

// patient opens a connection as soon as the worker has asked for the keys again.
func (p *provider) patient(t *testing.T, in *harness.Installation, token string) *client {
	t.Helper()
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	late := time.NewTimer(time.Minute)
	defer late.Stop()
	for {
		conn, _, err := wsclient.Dial(t.Context(), in.Request(0, wsclient.Request{Token: token}))
		if err == nil && conn != nil {
			t.Cleanup(conn.Drop)
			c := &client{t, conn}
			c.expect(`{"accept": true, "user": "` + strings.Repeat("u", 255) + `"}`)
			return c
		}
		select {
		case <-again.C:
		case <-late.C:
			t.Fatalf("the new key is not taken; the provider was asked %d times", p.asked.Load())
		}
	}
}
