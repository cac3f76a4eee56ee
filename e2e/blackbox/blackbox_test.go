// Package blackbox holds Belfry against its client protocol from outside: it
// speaks websocket, and emits through one of two drivers (AMQP, or the embedded
// mode's POST /emit/{group}). Rows are named after the sections of
// docs/client-protocol.md. All of them run against one form in which Belfry runs,
// and against every form when everything is asked for (harness.Full); otherwise
// the other forms have those about connecting and the first row of each section.
package blackbox

import (
	"strings"
	"testing"

	"belfry/e2e/harness"
)

// row is one statement of the protocol.
type row struct {
	name string
	run  func(t *testing.T, in *harness.Installation)
	amqp bool // about AMQP itself: not applicable where there is none
	slow bool // takes a minute: runs against one form only
}

var sections = []struct {
	name  string
	rows  []row
	smoke bool // all of its rows run in every form: what is in front of a gateway matters
}{
	{"Connecting", connecting, true},
	{"Subscribing", subscribing, false},
	{"Events", events, false},
	{"Closing", closing, false},
	{"Disconnecting", disconnecting, false},
	{"Hostile handshakes", handshakes, false},
	{"Hostile clients", hostile, false},
	{"Backends", backends, false},
}

// debug makes every process say all that it can say: no token is in it.
var debug = []string{"BELFRY_LOG_LEVEL=debug"}

// run runs the rows that a form has. The whole form has all of them.
func run(t *testing.T, shape harness.Shape, whole bool) *harness.Installation {
	in := harness.Start(t, shape)
	rows(t, in, shape, whole)
	if in.Nginx != nil {
		t.Run("Logs", func(t *testing.T) { noToken(t, in.Nginx.Finish(t)) })
	}
	return in
}

// rows runs all rows that apply to an installation.
func rows(t *testing.T, in *harness.Installation, shape harness.Shape, whole bool) {
	for _, section := range sections {
		t.Run(section.name, func(t *testing.T) {
			for i, r := range section.rows {
				if r.slow && !whole || !whole && !harness.Full() && i > 0 && !section.smoke {
					continue
				}
				t.Run(r.name, func(t *testing.T) {
					if r.amqp && shape.Embedded {
						t.Skip("not applicable: there is no AMQP in the embedded mode")
					}
					r.run(t, in)
				})
			}
		})
	}
}

// noToken looks for the tokens that the rows used, and for the parameter itself,
// in all that nginx wrote.
func noToken(t *testing.T, logs map[string]string) {
	for _, line := range []string{"/websocket HTTP/1.1\" 101 ", "/websocket/ HTTP/1.1\" 401 "} {
		if !strings.Contains(logs["access.log"], line) {
			t.Errorf("the access log has no line with %q: is it written?", line)
		}
	}
	for file, text := range logs {
		for _, secret := range []string{"token-of-", "nobody-has-this", strings.Repeat("a", 40), "token="} {
			if at := strings.Index(text, secret); at >= 0 {
				t.Errorf("%s shows a token: %.200s", file, text[max(0, at-100):])
			}
		}
	}
}

func TestEmbedded(t *testing.T) {
	t.Parallel()
	run(t, harness.Shape{Embedded: true, Env: debug}, false)
}

func TestOneGatewayOneWorker(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	run(t, harness.Shape{Gateways: 1, Workers: 1, Shards: 1, Env: debug}, true)
}

// TestTwoAndTwo checks tokens by introspection, and the programs with the race
// detector.
func TestTwoAndTwo(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	in := run(t, harness.Shape{Gateways: 2, Workers: 2, Shards: 1, Env: debug, Auth: harness.ByIntrospection, Race: true}, false)
	if in.Introspected() == 0 {
		t.Error("no worker has asked about a token")
	}
}

// TestTwoAndTwoFourShards checks signed tokens.
func TestTwoAndTwoFourShards(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	run(t, harness.Shape{Gateways: 2, Workers: 2, Shards: 4, Env: debug, Auth: harness.ByJWT}, false)
}

// TestThroughNginx speaks TLS to nginx, with its shipped configuration, and two
// gateways behind it.
func TestThroughNginx(t *testing.T) {
	needsBroker(t)
	if !harness.Namespace(t) {
		return
	}
	run(t, harness.Shape{Gateways: 2, Workers: 2, Shards: 1, Nginx: true}, false)
}

// needsBroker keeps the tests that need a RabbitMQ out of `go test -short`.
// Without -short a missing broker is a failure.
func needsBroker(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs RabbitMQ: not in -short")
	}
}
