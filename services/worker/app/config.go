package app

import (
	"errors"
	"fmt"
	"net"
	"time"

	"belfry/pkg/settings"
	"belfry/services/worker/auth"
	"belfry/services/worker/internal/outbound"
)

// Config is the worker's configuration, from BELFRY_ variables.
type Config struct {
	settings.Broker
	settings.Trace

	AdminListen string `split_words:"true" desc:"address of /health/live, /health/ready and /metrics; loopback only, unless BELFRY_ADMIN_ALLOW_REMOTE; empty: no port is opened"`

	TokensFile string `split_words:"true" desc:"development: a JSON object of tokens, token -> {\"user\": 7, \"groups\": [\"*\"]}; they do not expire"`

	JwtSecretFile   string        `split_words:"true" desc:"signed tokens: file with the secret, at least 32 bytes for HS256, 48 for HS384, 64 for HS512"`
	JwtKeyFile      string        `split_words:"true" desc:"signed tokens: file with public keys, PEM or a JSON web key set: RSA (RS and PS 256 to 512), P-256, P-384, P-521 (ES256, ES384, ES512), Ed25519 (EdDSA)"`
	JwtKeysURL      string        `split_words:"true" desc:"signed tokens: address of a JSON web key set, https, or http on loopback"`
	JwtKeysInsecure bool          `split_words:"true" default:"false" desc:"allow http:// without TLS to a key set that is not on this host: whoever can change the answer on its way lets in whom he likes"`
	JwtKeysCAFile   string        `split_words:"true" desc:"PEM file with the authorities that may sign the key set server's certificate, read again when it changes; empty: the system's"`
	JwtIssuer       string        `split_words:"true" desc:"signed tokens: the issuer that must have issued them; empty: not checked"`
	JwtAudience     string        `split_words:"true" desc:"signed tokens: the audience that they must be for; empty: not checked"`
	JwtLeeway       time.Duration `split_words:"true" default:"30s" desc:"signed and opaque tokens: how far clocks may differ, for exp and nbf; at most 5m"`

	IntrospectionURL        string        `split_words:"true" desc:"opaque tokens: address of the authorization server's introspection (RFC 7662)"`
	IntrospectionClient     string        `split_words:"true" desc:"opaque tokens: this client's name there"`
	IntrospectionSecretFile string        `split_words:"true" desc:"opaque tokens: file with this client's secret there"`
	IntrospectionInsecure   bool          `split_words:"true" default:"false" desc:"allow http:// without TLS to an introspection that is not on this host: clients' tokens and the secret travel readable"`
	IntrospectionCAFile     string        `split_words:"true" desc:"PEM file with the authorities that may sign the introspection server's certificate, read again when it changes; empty: the system's"`
	IntrospectionCache      time.Duration `split_words:"true" default:"10s" desc:"opaque tokens: how long a good answer is believed, and, up to 5s, a refusal; at most 5m"`
	IntrospectionParallel   int           `split_words:"true" default:"32" desc:"opaque tokens: questions at a time, 1 to 1000; of one client at most half"`

	UserClaim    string `split_words:"true" default:"sub" desc:"the claim with the user's id, a string or an integer; a dot goes one object deeper, a dot of the name itself is written \\."`
	GroupsClaim  string `split_words:"true" default:"groups" desc:"the claim with the patterns of groups that the token's user may see; a path like BELFRY_USER_CLAIM, such as realm_access.roles"`
	SessionClaim string `split_words:"true" default:"sid" desc:"the claim with the id of the login session, a string or an integer, so that the application can end its connections alone; may be absent in a token"`

	PolicyFile          string        `split_words:"true" desc:"who may see which group: docs/policy.md; required"`
	AuthorizeURL        string        `split_words:"true" desc:"address of the application, asked where the policy allows \"application\""`
	AuthorizeInsecure   bool          `split_words:"true" default:"false" desc:"allow http:// without TLS to an application that is not on this host: the secret travels readable"`
	AuthorizeCAFile     string        `split_words:"true" desc:"PEM file with the authorities that may sign the application's certificate, read again when it changes; empty: the system's"`
	AuthorizeSecretFile string        `split_words:"true" desc:"file with the secret that the application gets as a bearer token"`
	AuthorizeTimeout    time.Duration `split_words:"true" default:"2s" desc:"bound of one question to the application; at most 4s"`
	AuthorizeParallel   int           `split_words:"true" default:"32" desc:"questions to the application at a time, 1 to 1000"`
	AuthorizeCache      time.Duration `split_words:"true" default:"10s" desc:"how long the application's answer is believed, by user and token; at most 5m"`
}

// Grace is the longest time from SIGTERM to the end of the process. A process manager must wait
// longer before it kills a worker.
const Grace = 10 * time.Second

// Validate checks everything that can be checked without other systems. Each error names its
// variable and says what to do.
func (c Config) Validate() error {
	problems := []error{c.Broker.Validate(), c.CheckTrace(), c.checkMethod()}
	if c.AdminListen != "" {
		if _, _, err := net.SplitHostPort(c.AdminListen); err != nil {
			problems = append(problems, settings.Wrong("BELFRY_ADMIN_LISTEN", fmt.Sprintf("is %q", c.AdminListen), "set host:port, or nothing"))
		}
	}
	for _, f := range []struct{ variable, path string }{
		{"BELFRY_JWT_KEY_FILE", c.JwtKeyFile}, {"BELFRY_POLICY_FILE", c.PolicyFile},
		{"BELFRY_JWT_KEYS_CA_FILE", c.JwtKeysCAFile},
		{"BELFRY_INTROSPECTION_CA_FILE", c.IntrospectionCAFile}, {"BELFRY_AUTHORIZE_CA_FILE", c.AuthorizeCAFile},
	} {
		problems = append(problems, settings.CheckFile(f.variable, f.path))
	}
	for _, f := range []struct{ variable, path string }{
		{"BELFRY_TOKENS_FILE", c.TokensFile}, {"BELFRY_JWT_SECRET_FILE", c.JwtSecretFile}, {"BELFRY_INTROSPECTION_SECRET_FILE", c.IntrospectionSecretFile},
		{"BELFRY_AUTHORIZE_SECRET_FILE", c.AuthorizeSecretFile},
	} {
		problems = append(problems, c.CheckSecret(f.variable, f.path))
	}
	for _, u := range []struct {
		variable, address, optIn string
		insecure                 bool
	}{
		{"BELFRY_JWT_KEYS_URL", c.JwtKeysURL, "BELFRY_JWT_KEYS_INSECURE", c.JwtKeysInsecure},
		{"BELFRY_INTROSPECTION_URL", c.IntrospectionURL, "BELFRY_INTROSPECTION_INSECURE", c.IntrospectionInsecure},
		{"BELFRY_AUTHORIZE_URL", c.AuthorizeURL, "BELFRY_AUTHORIZE_INSECURE", c.AuthorizeInsecure},
	} {
		problems = append(problems, checkAddress(u.variable, u.address, u.optIn, u.insecure))
	}
	for _, n := range []struct{ variable, name string }{
		{"BELFRY_USER_CLAIM", c.UserClaim}, {"BELFRY_GROUPS_CLAIM", c.GroupsClaim}, {"BELFRY_SESSION_CLAIM", c.SessionClaim},
	} {
		if err := auth.CheckClaimName(n.name); n.name != "" && err != nil {
			problems = append(problems, settings.Wrong(n.variable, fmt.Sprintf("is %q", n.name), err.Error()))
		}
	}
	if c.PolicyFile == "" {
		problems = append(problems, settings.Wrong("BELFRY_POLICY_FILE", "is empty", "name a policy file; configs/policy.tower.json is an example"))
	}
	if c.UserClaim == "" {
		problems = append(problems, settings.Wrong("BELFRY_USER_CLAIM", "is empty", "name the claim with the user's id, such as sub"))
	}
	for _, p := range []struct {
		variable string
		places   int
	}{{"BELFRY_AUTHORIZE_PARALLEL", c.AuthorizeParallel}, {"BELFRY_INTROSPECTION_PARALLEL", c.IntrospectionParallel}} {
		if p.places < 1 || p.places > 1000 {
			problems = append(problems, settings.Wrong(p.variable, fmt.Sprintf("is %d", p.places), "set 1 to 1000"))
		}
	}
	return errors.Join(append(problems,
		within("BELFRY_JWT_LEEWAY", c.JwtLeeway, 0, 5*time.Minute),
		within("BELFRY_INTROSPECTION_CACHE", c.IntrospectionCache, 0, 5*time.Minute),
		within("BELFRY_AUTHORIZE_TIMEOUT", c.AuthorizeTimeout, 10*time.Millisecond, 4*time.Second),
		within("BELFRY_AUTHORIZE_CACHE", c.AuthorizeCache, 0, 5*time.Minute))...)
}

func within(variable string, d, least, most time.Duration) error {
	if d < least || d > most {
		return settings.Wrong(variable, fmt.Sprintf("is %v", d), fmt.Sprintf("set %v to %v", least, most))
	}
	return nil
}

// checkAddress checks an address. If its only problem is plain http, the error names the variable
// that allows it.
func checkAddress(variable, address, optIn string, insecure bool) error {
	if address == "" {
		return nil
	}
	err := outbound.CheckURL(address, insecure)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, outbound.ErrPlain):
		return settings.Wrong(variable, "cannot be used", fmt.Sprintf("%v; %s=true allows http within a network that is trusted", err, optIn))
	}
	return settings.Wrong(variable, "cannot be used", err.Error())
}

// checkMethod checks that exactly one way to check tokens is configured.
func (c Config) checkMethod() error {
	var set []string
	for _, m := range []struct{ variable, value string }{
		{"BELFRY_TOKENS_FILE", c.TokensFile}, {"BELFRY_JWT_SECRET_FILE", c.JwtSecretFile},
		{"BELFRY_JWT_KEY_FILE", c.JwtKeyFile}, {"BELFRY_JWT_KEYS_URL", c.JwtKeysURL},
		{"BELFRY_INTROSPECTION_URL", c.IntrospectionURL},
	} {
		if m.value != "" {
			set = append(set, m.variable)
		}
	}
	switch len(set) {
	case 1:
		return nil
	case 0:
		return settings.Wrong("BELFRY_JWT_SECRET_FILE", "is empty, and so is every other way to check tokens",
			"set one of BELFRY_JWT_SECRET_FILE, BELFRY_JWT_KEY_FILE, BELFRY_JWT_KEYS_URL, BELFRY_INTROSPECTION_URL or, for development, BELFRY_TOKENS_FILE")
	default:
		return settings.Wrong(set[0], fmt.Sprintf("is set, and so is %s", set[1]), "tokens are checked in one way: keep one of them")
	}
}
