// Package python runs the Python emitter's own tests against a private broker,
// with each AMQP library that it knows, and follows an event from it to a browser.
package python

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"belfry/e2e/harness"
	"belfry/e2e/load"
	"belfry/e2e/wsclient"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

var libraries = []string{"pika", "kombu"}

// python runs Debian's interpreter, which has Debian's packages.
func python(t *testing.T, env []string, args ...string) string {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/usr/bin/python3", args...)
	cmd.Dir = filepath.Join(root, "clients", "python")
	cmd.Env = append(os.Environ(), append(env, "PYTHONDONTWRITEBYTECODE=1")...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("python3 %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func TestPythonEmitter(t *testing.T) {
	if testing.Short() {
		t.Skip("needs RabbitMQ, pika and kombu: not in -short")
	}
	broker := harness.OwnBroker(t) // without a worker: what has no queue comes back
	for _, library := range libraries {
		t.Run(library, func(t *testing.T) {
			env := []string{"BELFRY_TEST_AMQP_URL=" + broker.URL(), "BELFRY_TEST_DRIVER=" + library}
			t.Log(python(t, env, "-m", "unittest", "discover", "-s", "tests"))
		})
	}
}

// toBrowser emits as a backend's user, who may do nothing but that.
const toBrowser = `
import os, belfry
with belfry.Emitter(os.environ["URL"], raise_errors=True, driver=os.environ["DRIVER"]) as emitter:
    emitter.emit("job_events-4711", b'{"group_name": "job_events",  "from": "python"}')
`

func TestAnEventFromPythonReachesABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("needs RabbitMQ, pika and kombu: not in -short")
	}
	in := harness.Start(t, harness.Shape{Gateways: 1, Workers: 1, Shards: 1})
	conn, answer, err := wsclient.Dial(t.Context(), in.Request(0, wsclient.Request{Token: harness.TokenAdmin}))
	if err != nil || conn == nil {
		t.Fatal(answer, err)
	}
	defer conn.Drop()
	if err := conn.Text(load.Subscription([]string{"job_events-4711"})); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the accept frame and the reply
		if _, err := conn.Next(10 * time.Second); err != nil {
			t.Fatal(err)
		}
	}
	for _, library := range libraries {
		t.Run(library, func(t *testing.T) {
			python(t, []string{"URL=" + in.Broker.BackendURL(), "DRIVER=" + library}, "-c", toBrowser)
			if got, err := conn.Next(10 * time.Second); err != nil || got != `{"group_name": "job_events",  "from": "python"}` {
				t.Fatalf("got %s, %v", got, err)
			}
		})
	}
}
