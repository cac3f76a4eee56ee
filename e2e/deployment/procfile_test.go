package deployment

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"belfry/e2e/harness"
	"belfry/e2e/visitor"
)

// lineCount is how many lines the example's job "count" writes.
const lineCount = 60

// TestProcfile runs the development environment with a Procfile runner: broker,
// nginx, api, gateway and worker, on the development ports. A person logs in,
// launches a job and sees its output; another one may not.
func TestProcfile(t *testing.T) {
	needsBroker(t)
	if !harness.Namespace(t) {
		return
	}
	foreman, err := exec.LookPath("foreman")
	if err != nil {
		t.Fatalf("foreman is missing: install the package ruby-foreman: %v", err)
	}
	dir := checkout(t)
	t.Cleanup(func() {
		// The node's port mapper outlives it, as everywhere in Erlang.
		if out, err := exec.Command("epmd", "-port", "4370", "-kill").CombinedOutput(); err != nil {
			t.Errorf("end the port mapper: %v\n%s", err, out)
		}
	})
	harness.Run(t, "foreman", foreman, "start", "--root", dir, "--procfile", filepath.Join(dir, "Procfile"), "--env", filepath.Join(dir, ".env"))
	plain := &http.Client{Timeout: 2 * time.Second}
	t.Cleanup(plain.CloseIdleConnections)
	until(t, "the gateway", 60*time.Second, func() error { return answers(plain, "http://127.0.0.1:9051/health/ready") })
	until(t, "the page through nginx", 20*time.Second, func() error { return answers(plain, "http://127.0.0.1:8013/health") })

	config := harness.Trust(t, filepath.Join(dir, "tmp", "nginx", "certificate.pem"))
	const addr = "127.0.0.1:8043"
	bob := visitor.Visit(t, "https://"+addr, config, "bob")
	job := bob.Launch("count")
	group := fmt.Sprintf("job_events-%d", job)
	mine, reply := bob.Watch(addr, "jobs-status_changed", group)
	if !strings.Contains(reply, `"groups_joined": ["`+group+`", "jobs-status_changed"]`) {
		t.Fatalf("the reply is %s", reply)
	}

	alice := visitor.Visit(t, "https://"+addr, config, "alice")
	theirs := alice.Launch("count")
	_, refusal := bob.Watch(addr, fmt.Sprintf("job_events-%d", theirs))
	if !strings.Contains(refusal, fmt.Sprintf("access denied to channel job_events for resource id %d", theirs)) {
		t.Errorf("bob asked for alice's job, the reply is %s", refusal)
	}

	first := bob.Lines(mine, job, lineCount)
	var stored []struct{ Counter int }
	bob.Call(http.MethodGet, fmt.Sprintf("/api/jobs/%d/events?after=0", job), nil, &stored)
	if len(stored) != lineCount {
		t.Errorf("the API has %d lines", len(stored))
	}
	t.Logf("lines %d to %d came over the websocket", first, lineCount)
}

// checkout is what a developer has: the repository's files and `make build`.
func checkout(t *testing.T) string {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"deploy", "configs", filepath.Join("examples", "tower", "web")} {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join(root, name))); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"Procfile", ".env"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"gateway", "worker", "tower"} {
		if err := os.Symlink(harness.Binary(t, name), filepath.Join(dir, "bin", name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
