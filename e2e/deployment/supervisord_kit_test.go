package deployment

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"belfry/e2e/harness"
)

// supervised is an installation under the shipped supervisord.conf. Its ports are
// the file's own; only its folders, user and limits are those of the test.
type supervised struct {
	t    *testing.T
	conf string
}

// health is where the programs, with the ports that the file gives, say that
// they are ready.
var health = map[string]string{
	"belfry-api":                      "http://127.0.0.1:8050/health",
	"belfry-gateway:belfry-gateway-1": "http://127.0.0.1:9051/health/ready",
	"belfry-gateway:belfry-gateway-2": "http://127.0.0.1:9052/health/ready",
	"belfry-worker:belfry-worker-1":   "http://127.0.0.1:9061/health/ready",
	"belfry-worker:belfry-worker-2":   "http://127.0.0.1:9062/health/ready",
}

// programs in the order in which a release restarts them.
var programs = []string{
	"belfry-worker:belfry-worker-1", "belfry-worker:belfry-worker-2", "belfry-api",
	"belfry-gateway:belfry-gateway-1", "belfry-gateway:belfry-gateway-2",
}

func supervise(t *testing.T, broker *harness.Broker) *supervised {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	shipped, err := os.ReadFile(filepath.Join(root, "deploy", "supervisord", "supervisord.conf"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"etc", "run", "log", "bin"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	tokens, policy := harness.WriteAccess(t, filepath.Join(dir, "etc"))
	common := "BELFRY_AMQP_URL=" + broker.URL() + "\n"
	files := map[string]string{
		"etc/gateway.env": common + "BELFRY_TRUSTED_PROXIES=127.0.0.1\nBELFRY_MAX_PER_USER=1000\n",
		"etc/worker.env":  common + "BELFRY_TOKENS_FILE=" + tokens + "\nBELFRY_POLICY_FILE=" + policy + "\n",
		"etc/api.env": common + "BELFRY_JWT_SECRET_FILE=" + filepath.Join(root, "deploy", "development", "jwt.secret") +
			"\nBELFRY_AUTHORIZE_SECRET_FILE=" + filepath.Join(root, "deploy", "development", "authorize.secret") +
			"\nTOWER_DATABASE=" + filepath.Join(dir, "tower.db") + "\n",
		"etc/supervisord.conf": strings.NewReplacer(
			"/etc/belfry", filepath.Join(dir, "etc"),
			"/run/belfry", filepath.Join(dir, "run"),
			"/var/log/belfry", filepath.Join(dir, "log"),
			"/usr/bin/belfry-gateway", harness.Binary(t, "gateway"),
			"/usr/bin/belfry-worker", harness.Binary(t, "worker"),
			"/usr/bin/belfry-tower", harness.Binary(t, "tower"),
			"user=belfry\n", "",
			"minfds=200000", "minfds=4096",
		).Replace(string(shipped)),
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := &supervised{t: t, conf: filepath.Join(dir, "etc", "supervisord.conf")}
	bin, err := exec.LookPath("supervisord")
	if err != nil {
		t.Fatalf("supervisord is missing: install the package supervisor: %v", err)
	}
	harness.Run(t, "supervisord", bin, "-n", "-c", s.conf)
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		logs, _ := filepath.Glob(filepath.Join(dir, "log", "*.log"))
		for _, log := range logs {
			b, _ := os.ReadFile(log)
			t.Logf("%s:\n%s", filepath.Base(log), b[max(0, len(b)-3000):])
		}
	})
	for _, name := range programs {
		s.waitReady(name)
	}
	return s
}

// control runs supervisorctl.
func (s *supervised) control(args ...string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "supervisorctl", append([]string{"-c", s.conf}, args...)...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("supervisorctl %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// pid of a program that runs.
func (s *supervised) pid(name string) int {
	s.t.Helper()
	pid, err := strconv.Atoi(strings.TrimSpace(s.control("pid", name)))
	if err != nil || pid == 0 {
		s.t.Fatalf("the pid of %s: %d, %v", name, pid, err)
	}
	return pid
}

// kill ends a program without a word and waits until another one is ready.
func (s *supervised) kill(name string) {
	s.t.Helper()
	before := s.pid(name)
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		s.t.Fatal(err)
	}
	deadline := time.Now().Add(30 * time.Second)
	for {
		out, _ := exec.Command("supervisorctl", "-c", s.conf, "pid", name).Output()
		if now, err := strconv.Atoi(strings.TrimSpace(string(out))); err == nil && now != 0 && now != before {
			break
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("supervisord did not start %s again", name)
		}
		<-time.After(100 * time.Millisecond)
	}
	s.waitReady(name)
}

// waitReady waits until a program says that it is.
func (s *supervised) waitReady(name string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var last string
	for {
		status, body, err := harness.Get(ctx, health[name])
		switch {
		case err == nil && status == 200:
			return
		case err != nil:
			last = err.Error()
		default:
			last = fmt.Sprintf("HTTP %d %s", status, body)
		}
		select {
		case <-ctx.Done():
			s.t.Fatalf("%s is not ready: %s", name, last)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
