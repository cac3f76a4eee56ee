package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"

	"belfry/pkg/settings"
	"belfry/services/worker/auth"
)

// file writes a file and gives its path.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestAddressesOfOthers: plain http to another host has an opt-in for each of
// them, and the error names it.
func TestAddressesOfOthers(t *testing.T) {
	const inside, good = "http://keycloak.auth.svc:8080/x", `{"rules": [{"groups": ["a-*"], "allow": ["all"]}]}`
	policy := file(t, good)
	for _, prefix := range []string{"BELFRY_JWT_KEYS", "BELFRY_INTROSPECTION", "BELFRY_AUTHORIZE"} {
		for _, row := range []struct {
			url, insecure, ca string
			want              string // a part of the error; empty: good
		}{
			{"https://keycloak.auth.svc/x", "", "", ""},
			{inside, "", "", prefix + "_INSECURE=true"},
			{inside, "true", "", ""},
			{"http://127.0.0.1:1/x", "", "", ""},
			{"ftp://keycloak.auth.svc/x", "true", "", prefix + "_URL"},
			{"https://keycloak.auth.svc/x", "", "/nowhere/ca.pem", prefix + "_CA_FILE"},
		} {
			t.Run(prefix+" "+row.url+" "+row.insecure+row.ca, func(t *testing.T) {
				if prefix == "BELFRY_AUTHORIZE" {
					t.Setenv("BELFRY_JWT_SECRET_FILE", file(t, strings.Repeat("s", 32)))
				}
				for name, value := range map[string]string{
					"BELFRY_NAME": "test", "BELFRY_POLICY_FILE": policy, prefix + "_URL": row.url, prefix + "_INSECURE": row.insecure, prefix + "_CA_FILE": row.ca,
				} {
					if value != "" {
						t.Setenv(name, value)
					}
				}
				var c Config
				if err := settings.Load(&c); row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
					t.Errorf("got %v, want %q", err, row.want)
				}
			})
		}
	}
}

// TestClaimNamesAreChecked before anybody comes.
func TestClaimNamesAreChecked(t *testing.T) {
	for _, variable := range []string{"BELFRY_USER_CLAIM", "BELFRY_GROUPS_CLAIM", "BELFRY_SESSION_CLAIM"} {
		for name, good := range map[string]bool{"realm_access.roles": true, `a\.b`: true, "https://example.org/groups": true, "a..b": false, "a.": false, `a\b`: false} {
			t.Run(variable+" "+name, func(t *testing.T) {
				t.Setenv("BELFRY_NAME", "test")
				t.Setenv("BELFRY_POLICY_FILE", file(t, "{}"))
				t.Setenv("BELFRY_JWT_SECRET_FILE", file(t, strings.Repeat("s", 32)))
				t.Setenv(variable, name)
				var c Config
				if err := settings.Load(&c); good && err != nil || !good && (err == nil || !strings.Contains(err.Error(), variable)) {
					t.Errorf("got %v", err)
				}
			})
		}
	}
}

// TestEachWayToCheckTokensIsMade with all that the configuration says about it,
// and gives back what it holds.
func TestEachWayToCheckTokensIsMade(t *testing.T) {
	ca := file(t, "no certificate")
	for name, row := range map[string]struct {
		c    Config
		want string // a part of the error; empty: it is made
	}{
		"tokens file":                    {Config{TokensFile: file(t, `{"a": {"user": 7}}`)}, ""},
		"tokens file, doubled":           {Config{TokensFile: file(t, `{"a": {"user": 9, "user": 12}}`)}, "BELFRY_TOKENS_FILE"},
		"secret":                         {Config{JwtSecretFile: file(t, strings.Repeat("s", 32))}, ""},
		"secret, short":                  {Config{JwtSecretFile: file(t, "s")}, "BELFRY_JWT_SECRET_FILE"},
		"key file, odd":                  {Config{JwtKeyFile: file(t, `{"keys": [{"kid": 7}]}`)}, "BELFRY_JWT_KEY_FILE"},
		"keys":                           {Config{JwtKeysURL: "http://127.0.0.1:1/"}, ""},
		"keys inside":                    {Config{JwtKeysURL: "http://keycloak.svc/", JwtKeysInsecure: true}, ""},
		"keys, bad authorities":          {Config{JwtKeysURL: "https://keycloak.svc/", JwtKeysCAFile: ca}, "no certificate in PEM form"},
		"introspection":                  {Config{IntrospectionURL: "http://127.0.0.1:1/"}, ""},
		"introspection inside":           {Config{IntrospectionURL: "http://keycloak.svc/", IntrospectionInsecure: true}, ""},
		"introspection, bad authorities": {Config{IntrospectionURL: "https://keycloak.svc/", IntrospectionCAFile: ca}, "no certificate in PEM form"},
		"nothing":                        {Config{}, "BELFRY_JWT_SECRET_FILE"},
	} {
		t.Run(name, func(t *testing.T) {
			row.c.UserClaim = "sub"
			a, has, err := authenticator(row.c, auth.NewMetrics(nil), zap.NewNop())
			if row.want == "" && (err != nil || a == nil) || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
				t.Errorf("got %v, want %q", err, row.want)
			}
			if has.release != nil {
				has.release()
			}
		})
	}
}

// TestShippedSecretsAreForDevelopment: what everybody can read in Belfry's files
// is refused, unless the installation says what it is.
func TestShippedSecretsAreForDevelopment(t *testing.T) {
	shipped := filepath.Join("..", "..", "..")
	for variable, value := range map[string]string{
		"BELFRY_JWT_SECRET_FILE":           filepath.Join(shipped, "deploy", "development", "jwt.secret"),
		"BELFRY_AUTHORIZE_SECRET_FILE":     filepath.Join(shipped, "deploy", "development", "authorize.secret"),
		"BELFRY_INTROSPECTION_SECRET_FILE": file(t, "Change-Me\n"),
		"BELFRY_TOKENS_FILE":               filepath.Join(shipped, "configs", "tokens.dev.json"),
		"BELFRY_AMQP_URL":                  "amqp://belfry-worker:change%2Dme@127.0.0.1:5672/",
	} {
		for _, development := range []string{"false", "true"} {
			t.Run(variable+" "+development, func(t *testing.T) {
				if variable != "BELFRY_JWT_SECRET_FILE" && variable != "BELFRY_TOKENS_FILE" {
					t.Setenv("BELFRY_JWT_SECRET_FILE", file(t, strings.Repeat("s", 32)))
				}
				t.Setenv("BELFRY_POLICY_FILE", filepath.Join(shipped, "configs", "policy.tower.json"))
				t.Setenv("BELFRY_DEVELOPMENT", development)
				t.Setenv(variable, value)
				var c Config
				err := settings.Load(&c)
				if development == "true" {
					if err != nil {
						t.Error(err)
					}
					return
				}
				if err == nil || !strings.Contains(err.Error(), variable) || !strings.Contains(err.Error(), "BELFRY_DEVELOPMENT") {
					t.Fatalf("got %v", err)
				}
				if strings.Contains(err.Error(), "change") {
					t.Errorf("the error shows the secret: %v", err)
				}
			})
		}
	}
}
