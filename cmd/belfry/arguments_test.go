package main

import (
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

func TestEveryCommandHasHelpWithAnExample(t *testing.T) {
	clean(t)
	names := []string{""}
	for _, c := range root(nil, nil, nil).Commands {
		names = append(names, c.Name)
	}
	for _, name := range names {
		got := sh(t, "", strings.Fields(name+" --help")...)
		if got.status != 0 || got.err != "" || !strings.Contains(got.out, "Example") || !strings.Contains(got.out, "  belfry "+name) && !strings.Contains(got.out, " belfry "+name+" ") {
			t.Errorf("belfry %s --help: %+v", name, got)
		}
	}
	sh(t, "").want(t, 0, "COMMANDS", "")
	sh(t, "", "version").want(t, 0, "belfry ", "")
}

func TestMistakesAreStatusTwoAndSendNothing(t *testing.T) {
	clean(t) // with no broker: a command that tried would take 10 s and end with 1
	for _, c := range []struct{ line, said string }{
		{"nonsense", `no command "nonsense"`},
		{"version more", "does not take 1 arguments"},
		{"emit", "see belfry emit --help"},
		{"emit --loud a-b {}", "-loud"},
		{"emit jobs {}", "the group"},
		{"emit -- -x {}", "the group"},
		{"emit a-b {", "not JSON"},
		{"emit a-b \xff", "not UTF-8"},
		{"emit --timeout 0s a-b {}", "--timeout"},
		{"disconnect", "see belfry disconnect --help"},
		{"disconnect 7 8", "see belfry disconnect --help"},
		{"disconnect a*", "star"},
		{"disconnect --timeout 0s 7", "--timeout"},
		{"listen", "see belfry listen --help"},
		{"listen jobs", "the group"},
		{"listen --count 0 a-b", "--count"},
		{"token", "user"},
		{"token --user 7 --ttl 1ms", "--ttl"},
		{"token --user a*", "star"},
		{"check --role nobody", "--role"},
		{"dev now", "see belfry dev --help"},
	} {
		got := sh(t, "", strings.Split(c.line, " ")...)
		if got.status != statusUsage || got.out != "" || !strings.Contains(got.err, c.said) {
			t.Errorf("belfry %q: %+v", c.line, got)
		}
	}
}

func TestConfigurationMistakesNameTheVariable(t *testing.T) {
	for _, c := range []struct{ line, name, value, said string }{
		{"emit a-b {}", "BELFRY_EMIT_EXPIRATION", "1", "BELFRY_EMIT_EXPIRATION"},
		{"emit a-b {}", "BELFRY_EMIT_EXPIRATION", "-1s", "BELFRY_EMIT_EXPIRATION is -1s"},
		{"emit a-b {}", "BELFRY_AMQP_URL", "embedded://127.0.0.1:9", "embedded:// needs the secret"},
		{"emit a-b {}", "BELFRY_AMQP_UR", "x", "did you mean BELFRY_AMQP_URL?"},
		{"listen a-b", "BELFRY_TOKEN", "", "BELFRY_TOKEN is not set"},
		{"listen a-b", "BELFRY_URL", "http://x/", "BELFRY_URL is not the address"},
		{"listen a-b", "BELFRY_URL", "ws://x/?token=y", "put the token into BELFRY_TOKEN"},
		{"token --user 7", "BELFRY_JWT_SECRET_FILE", "", "BELFRY_JWT_SECRET_FILE is not set"},
		{"token --user 7", "BELFRY_JWT_SECRET_FILE", "/nowhere", "cannot be read"},
		{"token --user 7", "BELFRY_JWT_SECRET_FILE", "/dev/null", "at least 32 bytes"},
		{"dev", "BELFRY_SHARDS", "0", "BELFRY_SHARDS is 0"},
		{"dev", "BELFRY_LISTEN", "8051", "BELFRY_LISTEN"},
		{"dev", "BELFRY_POLICY_FILE", "/nowhere", "BELFRY_POLICY_FILE"},
	} {
		clean(t)
		set(t, c.name, c.value)
		got := sh(t, "", strings.Fields(c.line)...)
		if got.status != statusFailed || !strings.Contains(got.err, c.said) {
			t.Errorf("belfry %s with %s=%s: %+v", c.line, c.name, c.value, got)
		}
	}
}

func TestTokenCarriesWhatTheWorkerAsksFor(t *testing.T) {
	clean(t)
	const secret = "0123456789abcdef0123456789abcdef"
	set(t, "BELFRY_JWT_SECRET_FILE", file(t, "secret", secret+"\n"))
	set(t, "BELFRY_JWT_ISSUER", "tower")
	set(t, "BELFRY_JWT_AUDIENCE", "belfry")
	set(t, "BELFRY_USER_CLAIM", "user_id")
	for given, want := range map[string]any{"7": 7.0, "-7": -7.0, "007": "007", "ann": "ann", "7.5": "7.5", `"7"`: "7"} {
		got := sh(t, "", "token", "--user="+given, "--groups", "job_events-*,jobs-summary", "--groups", "a-b", "--ttl", "1m")
		if got.status != 0 {
			t.Fatalf("%s: %+v", given, got)
		}
		claims := jwt.MapClaims{}
		_, err := jwt.ParseWithClaims(strings.TrimSpace(got.out), claims, func(*jwt.Token) (any, error) { return []byte(secret), nil },
			jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired(), jwt.WithIssuer("tower"), jwt.WithAudience("belfry"))
		if err != nil {
			t.Fatalf("%s: %v", given, err)
		}
		if groups, _ := claims["groups"].([]any); claims["user_id"] != want || len(groups) != 3 {
			t.Errorf("--user %s: %v", given, claims)
		}
	}
}

// TestTokenWritesClaimsByTheirPath: inside of objects, as the worker reads them.
func TestTokenWritesClaimsByTheirPath(t *testing.T) {
	clean(t)
	const secret = "0123456789abcdef0123456789abcdef"
	set(t, "BELFRY_JWT_SECRET_FILE", file(t, "secret", secret))
	set(t, "BELFRY_USER_CLAIM", "tower.id")
	set(t, "BELFRY_GROUPS_CLAIM", "tower.roles")
	set(t, "BELFRY_SESSION_CLAIM", `https://tower\.example/sid`)
	got := sh(t, "", "token", "--user=7", "--groups", "a-b", "--session", "phone")
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(strings.TrimSpace(got.out), claims, func(*jwt.Token) (any, error) { return []byte(secret), nil })
	if err != nil {
		t.Fatalf("%+v, %v", got, err)
	}
	inside, _ := claims["tower"].(map[string]any)
	if groups, _ := inside["roles"].([]any); inside["id"] != 7.0 || len(groups) != 1 || claims["https://tower.example/sid"] != "phone" {
		t.Errorf("the claims are %v", claims)
	}
	set(t, "BELFRY_GROUPS_CLAIM", "tower..roles")
	if got := sh(t, "", "token", "--user=7", "--groups", "a-b"); got.status == 0 || !strings.Contains(got.err, "BELFRY_GROUPS_CLAIM") {
		t.Errorf("a path without a name: %+v", got)
	}
}
