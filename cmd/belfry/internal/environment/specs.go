package environment

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"belfry/pkg/settings"
)

// Emitting has the variables about emitting events, with or without a broker.
type Emitting struct {
	EmitExpiration time.Duration   `split_words:"true" default:"60s" desc:"how long an event of belfry emit may wait for a worker, in whole milliseconds; 0: no limit"`
	EmitPersistent bool            `split_words:"true" default:"false" desc:"events of belfry emit survive a restart of the broker, and cost more"`
	EmitSecret     settings.Secret `split_words:"true" desc:"the secret that is needed to emit events to belfry dev; if it is empty, belfry dev makes a random one at each start and prints it"`
}

// Emit is what `belfry emit` reads.
type Emit struct {
	settings.Broker
	Emitting
}

// Validate implements the check that settings.Load makes.
func (e Emit) Validate() error {
	err := e.Check("amqp", "amqps", "embedded")
	if e.EmitExpiration < 0 || e.EmitExpiration%time.Millisecond != 0 {
		err = errors.Join(err, settings.Wrong("BELFRY_EMIT_EXPIRATION", fmt.Sprintf("is %v", e.EmitExpiration), "set whole milliseconds, such as 500ms, 60s or 10m, or 0 for ever"))
	}
	return err
}

// Embedded reports whether events go to a `belfry dev`, which has no broker.
func (e Emit) Embedded() bool { return strings.HasPrefix(e.AmqpURL.Reveal(), "embedded://") }

// Listen is what `belfry listen` reads.
type Listen struct {
	URL   string          `split_words:"true" default:"ws://127.0.0.1:8051/websocket/" desc:"the websocket that belfry listen opens"`
	Token settings.Secret `split_words:"true" desc:"the token that belfry listen shows"`
}

// Validate implements the check that settings.Load makes.
func (l Listen) Validate() error {
	u, err := url.Parse(l.URL)
	if err != nil || u.Hostname() == "" || u.Scheme != "ws" && u.Scheme != "wss" {
		return settings.Wrong("BELFRY_URL", "is not the address of a websocket", "write ws://host:8051/websocket/ or wss://host/websocket/")
	}
	if u.User != nil || u.RawQuery != "" {
		return settings.Wrong("BELFRY_URL", "holds a query or a password", "put the token into BELFRY_TOKEN")
	}
	return nil
}

// Token is what `belfry token` reads: the worker's own variables, so that a worker with the
// same environment accepts the token.
type Token struct {
	JwtSecretFile string `split_words:"true"`
	JwtIssuer     string `split_words:"true"`
	JwtAudience   string `split_words:"true"`
	UserClaim     string `split_words:"true" default:"sub"`
	GroupsClaim   string `split_words:"true" default:"groups"`
	SessionClaim  string `split_words:"true" default:"sid"`
}

// Validate implements the check that settings.Load makes.
func (t Token) Validate() error {
	if t.JwtSecretFile == "" {
		return settings.Wrong("BELFRY_JWT_SECRET_FILE", "is not set",
			"name a file of at least 32 random bytes, the worker's own (head -c 48 /dev/urandom | base64 > secret)")
	}
	return settings.CheckFile("BELFRY_JWT_SECRET_FILE", t.JwtSecretFile)
}
