package app

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"belfry/pkg/settings"
	"belfry/services/worker/auth"
)

// Config is the worker's configuration, from BELFRY_ variables.
type Config struct {
	settings.Broker
	settings.Trace

	AdminListen string `split_words:"true" desc:"address of /health/live, /health/ready and /metrics; loopback only, unless BELFRY_ADMIN_ALLOW_REMOTE; empty: no port is opened"`

	TokensFile string `split_words:"true" desc:"development: a JSON object of tokens, token -> {\"user\": 7, \"groups\": [\"*\"]}; they do not expire"`

	JwtSecretFile string        `split_words:"true" desc:"signed tokens: file with the secret of HS256, at least 32 bytes"`
	JwtKeyFile    string        `split_words:"true" desc:"signed tokens: file with public keys, PEM or a JSON web key set, for RS256, ES256 and EdDSA"`
	JwtKeysURL    string        `split_words:"true" desc:"signed tokens: address of a JSON web key set, https, or http on loopback"`
	JwtIssuer     string        `split_words:"true" desc:"signed tokens: the issuer that must have issued them; empty: not checked"`
	JwtAudience   string        `split_words:"true" desc:"signed tokens: the audience that they must be for; empty: not checked"`
	JwtLeeway     time.Duration `split_words:"true" default:"30s" desc:"signed tokens: how far clocks may differ; at most 5m"`

	IntrospectionURL        string        `split_words:"true" desc:"opaque tokens: address of the authorization server's introspection (RFC 7662)"`
	IntrospectionClient     string        `split_words:"true" desc:"opaque tokens: this client's name there"`
	IntrospectionSecretFile string        `split_words:"true" desc:"opaque tokens: file with this client's secret there"`
	IntrospectionCache      time.Duration `split_words:"true" default:"10s" desc:"opaque tokens: how long a good answer is believed; at most 5m"`

	UserClaim    string `split_words:"true" default:"sub" desc:"the claim with the user's id, a string or an integer"`
	GroupsClaim  string `split_words:"true" default:"groups" desc:"the claim with the patterns of groups that the token's user may see"`
	SessionClaim string `split_words:"true" default:"sid" desc:"the claim with the id of the login session, a string, so that the application can end its connections alone; may be absent in a token"`

	PolicyFile          string        `split_words:"true" desc:"who may see which group: docs/policy.md; required"`
	AuthorizeURL        string        `split_words:"true" desc:"address of the application, asked where the policy allows \"application\""`
	AuthorizeInsecure   bool          `split_words:"true" default:"false" desc:"allow http:// without TLS to an application that is not on this host: the secret travels readable"`
	AuthorizeSecretFile string        `split_words:"true" desc:"file with the secret that the application gets as a bearer token"`
	AuthorizeTimeout    time.Duration `split_words:"true" default:"2s" desc:"bound of one question to the application; at most 4s"`
	AuthorizeParallel   int           `split_words:"true" default:"32" desc:"questions to the application at a time, 1 to 1000"`
	AuthorizeCache      time.Duration `split_words:"true" default:"10s" desc:"how long the application's answer is believed, by user and token; at most 5m"`
}

// Grace bounds the time from SIGTERM to the end of the process. What starts
// workers must wait longer before it kills.
const Grace = 10 * time.Second

// Validate checks everything that can be checked alone; each error names its
// variable and what to do.
func (c Config) Validate() error {
	problems := []error{c.Broker.Validate(), c.CheckTrace(), c.checkMethod()}
	if c.AdminListen != "" {
		if _, _, err := net.SplitHostPort(c.AdminListen); err != nil {
			problems = append(problems, settings.Wrong("BELFRY_ADMIN_LISTEN", fmt.Sprintf("is %q", c.AdminListen), "set host:port, or nothing"))
		}
	}
	for _, f := range []struct{ variable, path string }{
		{"BELFRY_TOKENS_FILE", c.TokensFile}, {"BELFRY_JWT_SECRET_FILE", c.JwtSecretFile}, {"BELFRY_JWT_KEY_FILE", c.JwtKeyFile},
		{"BELFRY_INTROSPECTION_SECRET_FILE", c.IntrospectionSecretFile}, {"BELFRY_POLICY_FILE", c.PolicyFile},
		{"BELFRY_AUTHORIZE_SECRET_FILE", c.AuthorizeSecretFile},
	} {
		problems = append(problems, settings.CheckFile(f.variable, f.path))
	}
	for _, u := range []struct{ variable, address string }{
		{"BELFRY_JWT_KEYS_URL", c.JwtKeysURL}, {"BELFRY_INTROSPECTION_URL", c.IntrospectionURL},
	} {
		if u.address == "" {
			continue
		}
		if err := auth.CheckURL(u.address); err != nil {
			problems = append(problems, settings.Wrong(u.variable, "cannot be used", err.Error()))
		}
	}
	if c.AuthorizeURL != "" {
		problems = append(problems, c.checkAuthorizeURL())
	}
	if c.PolicyFile == "" {
		problems = append(problems, settings.Wrong("BELFRY_POLICY_FILE", "is empty", "name a policy file; configs/policy.tower.json is an example"))
	}
	if c.UserClaim == "" {
		problems = append(problems, settings.Wrong("BELFRY_USER_CLAIM", "is empty", "name the claim with the user's id, such as sub"))
	}
	if c.AuthorizeParallel < 1 || c.AuthorizeParallel > 1000 {
		problems = append(problems, settings.Wrong("BELFRY_AUTHORIZE_PARALLEL", fmt.Sprintf("is %d", c.AuthorizeParallel), "set 1 to 1000"))
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

func (c Config) checkAuthorizeURL() error {
	err := auth.CheckURL(c.AuthorizeURL)
	if u, parsed := url.Parse(c.AuthorizeURL); c.AuthorizeInsecure && parsed == nil && u.Scheme == "http" && u.Host != "" && u.User == nil {
		return nil
	}
	if err != nil {
		return settings.Wrong("BELFRY_AUTHORIZE_URL", "cannot be used", err.Error()+"; BELFRY_AUTHORIZE_INSECURE=true allows http within a network that is trusted")
	}
	return nil
}

// checkMethod wants exactly one way to find out whose a token is.
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
