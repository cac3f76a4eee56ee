package dev

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"

	"belfry/cmd/belfry/internal/environment"
	"belfry/pkg/settings"
	"belfry/pkg/wellknown"
	gateway "belfry/services/gateway/app"
	worker "belfry/services/worker/app"
)

// policy allows Tower's groups as the shipped policy does, and every other group by the
// token's groups claim.
//
//go:embed policy.json
var policy []byte

// wellKnown is the token that is valid if only this host can connect.
const wellKnown = "development"

// Config configures Start.
type Config struct {
	Gateway gateway.Config
	Worker  worker.Config
	// Secret is needed to emit events. Given says that it came from the environment.
	Secret settings.Secret
	Given  bool
	// Token is a token of user 7 that may see every group; empty if the environment
	// configures other tokens.
	Token string
	// Self is the command that runs this program and Manual the text of its manual, both
	// for the page.
	Self, Manual string
}

// brokers lists the variables about a broker, which Load unsets: there is no broker, and the
// environment of other commands may have an address that a gateway would refuse.
var brokers = []string{
	"BELFRY_AMQP_URL", "BELFRY_AMQP_INSECURE", "BELFRY_AMQP_CA_FILE", "BELFRY_AMQP_CERT_FILE", "BELFRY_AMQP_KEY_FILE",
	"BELFRY_GATEWAY_USERS", "BELFRY_WORKER_USERS", "BELFRY_QUEUE_TYPE",
}

// Load reads the configuration from the environment, with the development defaults. It writes
// files that it needs to dir, and changes the process's environment.
func Load(ctx context.Context, dir string) (Config, error) {
	for _, name := range brokers {
		if err := os.Unsetenv(name); err != nil {
			return Config{}, fmt.Errorf("forget %s: %w", name, err)
		}
	}
	if err := os.Setenv(wellknown.Variable, "true"); err != nil { // development secrets are allowed
		return Config{}, fmt.Errorf("set %s: %w", wellknown.Variable, err)
	}
	token, err := setDefaults(dir)
	if err != nil {
		return Config{}, err
	}
	c := Config{Token: token}
	var emitting struct{ environment.Emitting }
	if err := errors.Join(settings.Load(&c.Gateway), settings.Load(&c.Worker), settings.Load(&emitting)); err != nil {
		return Config{}, err
	}
	c.Worker.AdminListen = "" // the process has one admin listener, the gateway's
	c.Secret, c.Given = emitting.EmitSecret, !emitting.EmitSecret.Empty()
	if !c.Given {
		c.Secret = settings.NewSecret(rand.Text())
	}
	if c.Gateway.Listen, err = choosePort(ctx, c.Gateway.Listen); err != nil {
		return Config{}, fmt.Errorf("BELFRY_LISTEN: %w", err)
	}
	if c.Gateway.AdminListen, err = choosePort(ctx, c.Gateway.AdminListen); err != nil {
		return Config{}, fmt.Errorf("BELFRY_ADMIN_LISTEN: %w", err)
	}
	c.Gateway.AllowedOrigins = append(c.Gateway.AllowedOrigins, origins(c.Gateway)...)
	return c, nil
}

// setDefaults sets the variables that are not set. If it wrote a tokens file, it returns the
// token in it.
func setDefaults(dir string) (token string, err error) {
	set := func(name, value string) {
		if os.Getenv(name) == "" && err == nil {
			err = os.Setenv(name, value)
		}
	}
	write := func(name, file string, text []byte) {
		path := filepath.Join(dir, file)
		if err == nil {
			err = os.WriteFile(path, text, 0o600)
		}
		set(name, path)
	}
	set("BELFRY_LISTEN", "127.0.0.1:8051")
	set("BELFRY_ADMIN_LISTEN", "127.0.0.1:9051")
	set("BELFRY_LOG_LEVEL", "warn")
	set("BELFRY_LOG_FORMAT", "console")
	set("BELFRY_DRAIN_NOTICE", "0s")     // there is no load balancer to wait for
	set("BELFRY_MAX_CONNECTIONS", "900") // below the usual limit of open files, so that there is no warning
	if !anySet("BELFRY_TOKENS_FILE", "BELFRY_JWT_SECRET_FILE", "BELFRY_JWT_KEY_FILE", "BELFRY_JWT_KEYS_URL", "BELFRY_INTROSPECTION_URL") {
		token = wellKnown
		if !isLoopback(os.Getenv("BELFRY_LISTEN")) {
			token = rand.Text() // other hosts can connect
		}
		text, _ := json.Marshal(map[string]any{token: map[string]any{"user": 7, "groups": []string{"*"}}}) // always encodes
		write("BELFRY_TOKENS_FILE", "tokens.json", text)
	}
	if !anySet("BELFRY_POLICY_FILE") {
		write("BELFRY_POLICY_FILE", "policy.json", policy)
	}
	if err != nil {
		return "", fmt.Errorf("set the defaults of development: %w", err)
	}
	return token, nil
}

// anySet reports whether any of the variables has a value.
func anySet(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return os.Getenv(name) != "" })
}

// choosePort replaces port 0 by a free port, because the page's origin must be known before
// the listeners are opened.
func choosePort(ctx context.Context, address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil || port != "0" {
		return address, err
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return "", err
	}
	_, port, err = net.SplitHostPort(l.Addr().String())
	return net.JoinHostPort(host, port), errors.Join(err, l.Close())
}

// loopback lists the origins of pages that this host serves, such as those of a development
// server on another port.
var loopback = []string{
	"http://localhost:*", "http://*.localhost:*", "http://127.0.0.1:*", "http://[::1]:*",
	"https://localhost:*", "https://*.localhost:*", "https://127.0.0.1:*", "https://[::1]:*",
}

// origins returns the origins to allow beside those in the configuration: the page's and, if
// the configuration has none, those of all pages of this host and of the websocket's address.
func origins(c gateway.Config) []string {
	page := "http://" + reachable(c.AdminListen)
	if len(c.AllowedOrigins) == 0 {
		return append([]string{page, "http://" + reachable(c.Listen)}, loopback...)
	}
	if len(c.AllowedOrigins) == 1 && c.AllowedOrigins[0] == "*" {
		return nil
	}
	out := []string{page}
	if host, port, _ := net.SplitHostPort(reachable(c.AdminListen)); host == "127.0.0.1" {
		out = append(out, "http://localhost:"+port)
	}
	return out
}

// reachable returns an address to which this host can connect for a listen address.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err == nil && unspecified(host) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return listen
}

func unspecified(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}

// isLoopback reports whether only this host can connect to an address.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
