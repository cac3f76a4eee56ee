package settings

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

type spec struct {
	Broker
	Listen string        `split_words:"true" default:":8051" desc:"where to listen"`
	Period time.Duration `split_words:"true" default:"25s" desc:"how long"`
}

// clean takes every BELFRY_ variable out of the test's environment.
func clean(t *testing.T) {
	t.Helper()
	for _, entry := range os.Environ() {
		if name, value, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "BELFRY_") {
			t.Setenv(name, value) // so that it comes back
			_ = os.Unsetenv(name)
		}
	}
}

func TestDefaultsWork(t *testing.T) {
	clean(t)
	var s spec
	if err := Load(&s); err != nil {
		t.Fatal(err)
	}
	if s.AmqpURL.Reveal() != "amqp://guest:guest@127.0.0.1:5672/" || s.Shards != 1 || s.Listen != ":8051" || s.Period != 25*time.Second {
		t.Errorf("defaults: %+v", s)
	}
	if s.Name == "" {
		t.Error("the name was not completed from the host's")
	}
	if s.Layout() != (Layout{Shards: 1}) {
		t.Errorf("layout: %+v", s.Layout())
	}
}

func TestEnvironmentIsRead(t *testing.T) {
	clean(t)
	t.Setenv("BELFRY_AMQP_URL", "amqps://gateway:pa%2Fss@broker.example/prod")
	t.Setenv("BELFRY_GATEWAY_USERS", " gateway, edge ,")
	t.Setenv("BELFRY_QUEUE_TYPE", "quorum")
	t.Setenv("BELFRY_SHARDS", "4")
	t.Setenv("BELFRY_LISTEN", "")
	var s spec
	if err := Load(&s); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.GatewayUsers, []string{"gateway", "edge"}) || len(s.WorkerUsers) != 0 {
		t.Errorf("lists: %q %q", s.GatewayUsers, s.WorkerUsers)
	}
	if s.Layout() != (Layout{Shards: 4, Quorum: true}) || s.Listen != "" {
		t.Errorf("%+v", s)
	}
	if got := s.Endpoint(); got != "amqps://gateway@broker.example:5671/prod" {
		t.Errorf("Endpoint() = %q", got)
	}
}

func TestProblemsNameTheVariableAndTheFix(t *testing.T) {
	readable := filepath.Join(t.TempDir(), "cert.pem")
	if err := os.WriteFile(readable, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, value, want string }{
		{"BELFRY_SHARDS", "0", "BELFRY_SHARDS is 0: set 1 to 256"},
		{"BELFRY_SHARDS", "many", `BELFRY_SHARDS is "many": set a whole number`},
		{"BELFRY_PERIOD", "5", `BELFRY_PERIOD is "5": set a duration with its unit`},
		{"BELFRY_AMQP_INSECURE", "perhaps", "set true or false"},
		{"BELFRY_AMQP_URL", "http://u:hidden@127.0.0.1/", "begin it with amqp:// or amqps://"},
		{"BELFRY_AMQP_URL", "amqp://u:hid/den@127.0.0.1/", "BELFRY_AMQP_URL"},
		{"BELFRY_AMQP_URL", "amqp://u:hidden@broker.example/", "BELFRY_AMQP_INSECURE=true"},
		{"BELFRY_AMQP_URL", "amqp:///", "names no host"},
		{"BELFRY_AMQP_CA_FILE", "/nowhere/ca.pem", "BELFRY_AMQP_CA_FILE names a file that cannot be read"},
		{"BELFRY_AMQP_CERT_FILE", readable, "belong together"},
		{"BELFRY_NAME", "a b", `BELFRY_NAME is "a b"`},
		{"BELFRY_QUEUE_TYPE", "stream", "set classic or quorum"},
		{"BELFRY_LOG_LEVEL", "loud", "BELFRY_LOG_LEVEL"},
		{"BELFRY_LOG_FORMAT", "xml", "BELFRY_LOG_FORMAT"},
	} {
		t.Run(c.name+"="+c.value, func(t *testing.T) {
			clean(t)
			known = append(known, "BELFRY_PERIOD")
			t.Cleanup(func() { known = known[:len(known)-1] })
			t.Setenv(c.name, c.value)
			var s spec
			err := Load(&s)
			if err == nil {
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q does not say %q", err, c.want)
			}
			if strings.Contains(err.Error(), "hidden") || strings.Contains(err.Error(), "hid/") || strings.Contains(err.Error(), "hid\"") {
				t.Errorf("the error gives the password away: %v", err)
			}
		})
	}
}

func TestUnknownVariableIsRefusedWithTheNearestName(t *testing.T) {
	for name, want := range map[string]string{
		"BELFRY_AMPQ_URL":      "BELFRY_AMQP_URL",
		"BELFRY_SHARD":         "BELFRY_SHARDS",
		"BELFRY_POLICYFILE":    "BELFRY_POLICY_FILE",
		"BELFRY_ALOWED_ORIGIN": "BELFRY_ALLOWED_ORIGINS",
	} {
		clean(t)
		t.Setenv(name, "x")
		err := Load(&spec{})
		if err == nil || !strings.Contains(err.Error(), name+" ") || !strings.Contains(err.Error(), "did you mean "+want+"?") {
			t.Errorf("%s: %v", name, err)
		}
		_ = os.Unsetenv(name)
	}
}

func TestOthersVariablesAndInjectedOnesPass(t *testing.T) {
	clean(t)
	t.Setenv("BELFRY_POLICY_FILE", "a worker's")
	t.Setenv("BELFRY_TEST_AMQP_URL", "a test's")
	want := []string{"BELFRY_GATEWAY_PORT_8051_TCP_ADDR", "BELFRY_PORT", "BELFRY_SERVICE_HOST", "BELFRY_SERVICE_PORT_HTTP"}
	for _, name := range want {
		t.Setenv(name, "tcp://10.0.0.1:8051")
	}
	if err := Load(&spec{}); err != nil {
		t.Fatal(err)
	}
	if got := Injected(); !slices.Equal(got, want) {
		t.Errorf("Injected() = %q, want %q", got, want)
	}
}

func TestSecretIsRedactedInEveryForm(t *testing.T) {
	secret := NewSecret("hunter2")
	type wrapping struct {
		Shown  Secret
		hidden Secret
		inside *Secret
	}
	for _, v := range []any{secret, &secret, wrapping{secret, secret, &secret}, &wrapping{secret, secret, &secret}, []Secret{secret}, map[string]Secret{"a": secret}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p"} {
			out := fmt.Sprintf(verb, v)
			if strings.Contains(out, "hunter2") || strings.Contains(strings.ToLower(out), "68756e74657232") {
				t.Errorf("%s of %T gives %s", verb, v, out)
			}
		}
		if out, err := json.Marshal(v); err != nil || strings.Contains(string(out), "hunter2") {
			t.Errorf("JSON of %T: %s %v", v, out, err)
		}
	}
	if secret.Reveal() != "hunter2" || secret.Empty() || !(Secret{}).Empty() {
		t.Error("Reveal or Empty is wrong")
	}
	var read Secret
	if err := read.UnmarshalText([]byte("x")); err != nil || read.Reveal() != "x" {
		t.Errorf("UnmarshalText: %v", err)
	}
}

func TestEndpointShowsNoPassword(t *testing.T) {
	for in, want := range map[string]string{
		"amqp://u:hidden@h:1/v?x=hidden":            redacted,
		"amqp://u:hidden@h:1/v":                     "amqp://u@h:1/v",
		"amqps://u:hidden@a/v,amqps://u:hidden@b/v": "amqps://u@a:5671/v,amqps://u@b:5671/v",
		"amqp://u:hidden@a,b/v":                     "amqp://u@a:5672/v,amqp://u@b:5672/v",
		"amqp://u:12#hidden@h/":                     redacted,
		"amqp://u:12/hidden@h/":                     redacted,
		"amqp://u:hidden%@h/":                       redacted,
		"amqp://u:hidden@a/,amqp://u:12#hidden@b/":  redacted,
		"amqp://u:hidden@a/,u:hidden@b/":            redacted,
		"embedded://:hidden@127.0.0.1:9051":         "embedded://127.0.0.1:9051",
		"hidden":                                    redacted,
		"":                                          redacted,
	} {
		b := Broker{AmqpURL: NewSecret(in)}
		if got := b.Endpoint(); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
		if err := b.checkURL([]string{"amqp", "amqps"}); err != nil && strings.Contains(err.Error(), "hidden") {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestDescribe(t *testing.T) {
	got, err := Describe("Gateway", &spec{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"## Gateway\n",
		"| `BELFRY_AMQP_URL` | text, secret | `amqp://guest:guest@127.0.0.1:5672/` | the broker:",
		"| `BELFRY_AMQP_CA_FILE` | text |  | ",
		"| `BELFRY_GATEWAY_USERS` | list |  | ",
		"| `BELFRY_PERIOD` | duration | `25s` | how long |",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the table has no %q:\n%s", want, got)
		}
	}
	type undocumented struct {
		Listen string `split_words:"true"`
	}
	if _, err := Describe("x", &undocumented{}); err == nil {
		t.Error("a field without desc was described")
	}
}

func TestBrokersNamesAreKnown(t *testing.T) {
	names, err := Names(&Broker{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			t.Errorf("%s is not in known.go: run make docs", name)
		}
	}
}

// Forms of the broker's address are tested in amqpbus/address; this is that
// they are what the variable means.
func TestFormsOfTheBrokersAddress(t *testing.T) {
	text, err := os.ReadFile("../amqpbus/testdata/broker_addresses.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		Name, Address, Refused string
	}
	if err := json.Unmarshal(text, &rows); err != nil || len(rows) == 0 {
		t.Fatal(len(rows), err)
	}
	for _, row := range rows {
		err := Broker{AmqpURL: NewSecret(row.Address), AmqpInsecure: true}.checkURL([]string{"amqp", "amqps", "embedded"})
		if (err == nil) != (row.Refused == "") || err != nil && !strings.HasPrefix(err.Error(), "BELFRY_AMQP_URL ") {
			t.Errorf("%s: %v", row.Name, err)
		}
	}
}
