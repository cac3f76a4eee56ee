package agreement

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"belfry/e2e/harness"
)

// unlinked is what a program must not link, and why. A path stands for all
// packages below it, too.
type unlinked struct{ path, why string }

// forTests are packages that start brokers and compare; no program is a test.
var forTests = []unlinked{
	{"testing", "a program has no test in it, nor its flags"},
	{"net/http/pprof", "it would open on every mux that is the default one"},
	{"belfry/pkg/amqpbus/bustest", "the contract is for tests"},
	{"belfry/pkg/amqpbus/brokertest", "programs start no brokers"},
	{"go.uber.org/goleak", "tests look for leaks"},
}

var links = []struct {
	dir      string
	unlinked []unlinked
}{
	{"services/gateway", []unlinked{
		{"belfry/services/worker", "services meet in the broker and nowhere else"},
		{"belfry/pkg/emitter", "a gateway does not emit"},
		{"belfry/pkg/amqpbus/membus", "the twin would make a typing error a broker of its own"},
		{"github.com/golang-jwt/jwt", "a gateway holds no keys: workers decide"},
		{"github.com/coder/websocket", "one websocket library at the edge, and it is the other one"},
		{"github.com/urfave/cli", "variables configure it"},
	}},
	{"services/worker", []unlinked{
		{"belfry/services/gateway", "services meet in the broker and nowhere else"},
		{"belfry/pkg/emitter", "a worker routes, and forwards on the bus itself"},
		{"belfry/pkg/amqpbus/membus", "the twin would make a typing error a broker of its own"},
		{"nhooyr.io/websocket", "a worker has no sockets"},
		{"github.com/coder/websocket", "a worker has no sockets"},
		{"github.com/urfave/cli", "variables configure it"},
	}},
	{"cmd/belfry", nil}, // it is everything in one
}

// TestLinks lists what each program links.
func TestLinks(t *testing.T) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range links {
		cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", ".")
		cmd.Dir = filepath.Join(root, p.dir)
		cmd.Env = append(cmd.Environ(), "GOWORK=off")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("list what %s links: %v", p.dir, err)
		}
		linked := strings.Fields(string(out))
		if len(linked) < 100 {
			t.Fatalf("%s links %d packages only: the list is not whole", p.dir, len(linked))
		}
		for _, u := range append(forTests, p.unlinked...) {
			for _, path := range linked {
				if path == u.path || strings.HasPrefix(path, u.path+"/") {
					t.Errorf("%s links %s: %s", p.dir, path, u.why)
				}
			}
		}
	}
}
