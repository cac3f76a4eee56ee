package harness

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"
)

// Auth is how workers find out whose a token is.
type Auth uint8

// The ways.
const (
	ByFile          Auth = iota // BELFRY_TOKENS_FILE
	ByJWT                       // HS256
	ByIntrospection             // RFC 7662, asked of the test itself
)

// Issuer, audience and client of an installation's tokens.
const (
	issuer       = "https://issuer.example"
	audience     = "belfry-e2e"
	introspector = "belfry"
	longLived    = time.Hour
	cacheAnswers = "2s"
	noLeeway     = "BELFRY_JWT_LEEWAY=0s" // no token is taken after its expiry
	shortest     = 6                      // bytes of a token that can be told from other text
)

// authority issues an installation's tokens and says how workers check them.
// Its methods may be called concurrently.
type authority struct {
	auth   Auth
	env    []string          // of workers
	issued map[string]string // the holder's name -> a token that lives long
	named  *strings.Replacer // puts the tokens in the place of the names
	secret string            // of HS256, or of the client that introspects

	mu      sync.Mutex
	active  map[string]map[string]any // ByIntrospection: token -> claims
	asked   int
	secrets map[string]struct{} // every token that was used
}

func newAuthority(t T, auth Auth, dir string) *authority {
	t.Helper()
	a := &authority{
		auth: auth, secret: rand.Text() + rand.Text(), issued: map[string]string{},
		active: map[string]map[string]any{}, secrets: map[string]struct{}{},
	}
	var pairs []string
	for name := range holders {
		a.issued[name] = name
		if auth != ByFile {
			a.issued[name] = a.issue(name, time.Now().Add(longLived))
		}
		pairs = append(pairs, name, a.issued[name])
		a.used(a.issued[name])
	}
	a.named = strings.NewReplacer(pairs...)
	switch auth {
	case ByFile:
		a.env = []string{"BELFRY_TOKENS_FILE=" + writeTokens(t, dir)}
	case ByJWT:
		a.env = []string{
			"BELFRY_JWT_SECRET_FILE=" + writeFile(t, dir, "jwt.secret", []byte(a.secret)), noLeeway,
			"BELFRY_JWT_ISSUER=" + issuer, "BELFRY_JWT_AUDIENCE=" + audience,
		}
	case ByIntrospection:
		server := httptest.NewServer(http.HandlerFunc(a.introspect))
		t.Cleanup(server.Close)
		a.env = []string{
			"BELFRY_INTROSPECTION_URL=" + server.URL + "/introspect", "BELFRY_INTROSPECTION_CLIENT=" + introspector,
			"BELFRY_INTROSPECTION_SECRET_FILE=" + writeFile(t, dir, "client.secret", []byte(a.secret)),
			"BELFRY_INTROSPECTION_CACHE=" + cacheAnswers, noLeeway,
		}
	}
	a.env = append(a.env, "BELFRY_POLICY_FILE="+writePolicy(t, dir))
	return a
}

// issue makes a token for a holder. Expiry is in whole seconds.
func (a *authority) issue(name string, expires time.Time) string {
	claims := map[string]any{
		"sub": holders[name].User, "groups": holders[name].Groups, "exp": expires.Unix(), "iss": issuer, "aud": []string{audience},
	}
	if sid := holders[name].Session; sid != "" {
		claims["sid"] = sid
	}
	if a.auth == ByJWT {
		return a.sign(claims)
	}
	token := "opaque-" + rand.Text()
	claims["active"] = true
	a.mu.Lock()
	defer a.mu.Unlock()
	a.active[token] = claims
	return token
}

// sign makes a JWT (RFC 7519), HS256.
func (a *authority) sign(claims map[string]any) string {
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			panic(fmt.Sprintf("encode claims: %v", err)) // strings and numbers only
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	text := part(map[string]string{"alg": "HS256", "typ": "JWT"}) + "." + part(claims)
	mac := hmac.New(sha256.New, []byte(a.secret))
	_, _ = mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// introspect answers whether a token is active (RFC 7662 2).
func (a *authority) introspect(w http.ResponseWriter, r *http.Request) {
	if user, password, ok := r.BasicAuth(); !ok || user != introspector || password != a.secret {
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	a.mu.Lock()
	a.asked++
	claims, active := a.active[r.PostFormValue("token")]
	a.mu.Unlock()
	if !active {
		claims = map[string]any{"active": false}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(claims)
}

// used notes a token, so that it is looked for in logs and metrics.
func (a *authority) used(token string) {
	if len(token) < shortest {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.secrets[token] = struct{}{}
}

func (a *authority) everUsed() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Sorted(maps.Keys(a.secrets))
}

// ByFileAlone reports that tokens cannot expire here.
func (in *Installation) ByFileAlone() bool { return in.authority.auth == ByFile }

// Token is a holder's token in the form that this installation takes.
func (in *Installation) Token(name string) string { return in.authority.issued[name] }

// ShortToken is another token of a holder, good until the time that it returns:
// for at least as long as asked, and at most a second more.
func (in *Installation) ShortToken(name string, life time.Duration) (string, time.Time) {
	expires := time.Now().Add(life + time.Second).Truncate(time.Second)
	token := in.authority.issue(name, expires)
	in.authority.used(token)
	return token, expires
}

// Secret notes a token that is used in a way which Request does not see.
func (in *Installation) Secret(token string) { in.authority.used(token) }

// Introspected says how often workers have asked about tokens.
func (in *Installation) Introspected() int {
	in.authority.mu.Lock()
	defer in.authority.mu.Unlock()
	return in.authority.asked
}
