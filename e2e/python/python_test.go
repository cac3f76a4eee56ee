// Package python runs the Python emitter's own tests against a private broker,
// with each AMQP library that it knows, and follows events from it to a browser.
package python

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"belfry/e2e/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

var libraries = []string{"pika", "kombu"}

// needs skips where only Go is there.
func needs(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs RabbitMQ, Python and its AMQP libraries: not in -short")
	}
}

// folder is where the Python package is.
func folder(t *testing.T) string {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, "clients", "python")
}

// python runs Debian's interpreter, which has Debian's packages. What it asks
// for through orders is done meanwhile, on the test's own goroutine.
func python(t *testing.T, orders <-chan order, env []string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/usr/bin/python3", args...)
	cmd.Dir = folder(t)
	cmd.Env = append(os.Environ(), append(env, "PYTHONDONTWRITEBYTECODE=1")...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case o := <-orders:
			o.do()
			close(o.done)
		case err := <-ended:
			if err != nil {
				t.Fatalf("python3 %v: %v\n%s", args, err, out.String())
			}
			t.Log(out.String())
			return
		}
	}
}

// order is something that a Python test wants to happen to the broker.
type order struct {
	do   func()
	done chan struct{}
}

// control is an address where Python tests give orders, by POST, each answered
// when it is done.
func control(t *testing.T, broker *harness.Broker) (string, <-chan order) {
	t.Helper()
	t.Cleanup(broker.Resume) // also when a test ended while it was paused
	orders := make(chan order)
	server := http.NewServeMux()
	var endAlarm []string
	for name, do := range map[string]func(){
		"pause":  broker.Pause,
		"resume": broker.Resume,
		"kill": func() {
			broker.Ctl(t, "eval", "mnesia:sync_log().") // what was declared is on the disk
			broker.Kill9(t)
		},
		"start":             func() { broker.Restart(t) },
		"close-connections": func() { broker.Ctl(t, "close_all_connections", "a test") },
		"memory-alarm": func() {
			broker.Ctl(t, "set_vm_memory_high_watermark", "0.00001")
			endAlarm = []string{"set_vm_memory_high_watermark", "0.4"}
		},
		"disk-alarm": func() {
			broker.Ctl(t, "set_disk_free_limit", "900000GB")
			endAlarm = []string{"set_disk_free_limit", "50MB"}
		},
		"no-alarm": func() { broker.Ctl(t, endAlarm...) },
	} {
		server.HandleFunc("POST /"+name, func(_ http.ResponseWriter, r *http.Request) {
			o := order{do: do, done: make(chan struct{})}
			select {
			case orders <- o:
				<-o.done
			case <-r.Context().Done():
			}
		})
	}
	s := httptest.NewServer(server)
	t.Cleanup(s.Close)
	return s.URL, orders
}

func TestPythonUnits(t *testing.T) {
	needs(t)
	t.Parallel()
	python(t, nil, nil, "-m", "unittest", "discover", "-s", "tests")
}

// overTheNode are tests that pause, kill or alarm the node.
var overTheNode = map[string]bool{"test_alarm": true, "test_loss": true, "test_stall": true}

// forLibrary is the environment of tests at a broker.
func forLibrary(library string, broker *harness.Broker, control string) []string {
	return []string{"BELFRY_TEST_AMQP_URL=" + broker.URL(), "BELFRY_TEST_DRIVER=" + library, "BELFRY_TEST_CONTROL=" + control}
}

// TestPythonEmitter runs everything beside each other: what leaves the node alone on
// the shared one, and what does not on a node for each file.
func TestPythonEmitter(t *testing.T) {
	needs(t)
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(folder(t), "tests", "broker", "test_*.py"))
	if err != nil || len(files) == 0 {
		t.Fatal("no tests", err)
	}
	own := 0
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".py")
		if overTheNode[name] {
			own++
		}
		for _, library := range libraries {
			t.Run(library+"/"+name, func(t *testing.T) {
				t.Parallel()
				if !overTheNode[name] {
					atBroker(t, nil, name, forLibrary(library, harness.OnSharedNode(t), ""))
					return
				}
				broker := harness.OwnBroker(t)
				address, orders := control(t, broker)
				atBroker(t, orders, name, forLibrary(library, broker, address))
			})
		}
	}
	if own != len(overTheNode) {
		t.Fatalf("%d tests need a node of their own, of %v", own, overTheNode)
	}
}

// atBroker runs one file of tests. They have no worker: what has no queue comes back.
func atBroker(t *testing.T, orders <-chan order, name string, env []string) {
	t.Helper()
	python(t, orders, env, "-m", "unittest", "discover", "-v", "-s", "tests/broker", "-p", name+".py")
}
