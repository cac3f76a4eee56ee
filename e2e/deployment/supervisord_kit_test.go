package deployment

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"belfry/e2e/harness"
)

// supervised is what `make install` installs, under supervisord. Its ports are the
// shipped ones; only its folders, user and limits are those of the test.
type supervised struct {
	t      *testing.T
	conf   string
	daemon *harness.Process // supervisord itself
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

// manyBrowsers are variables for a load whose browsers share a token of the
// tests' tokens file.
func manyBrowsers(t *testing.T) map[string][]string {
	t.Helper()
	tokens, policy := harness.WriteAccess(t, t.TempDir())
	return map[string][]string{
		"gateway": {"BELFRY_MAX_PER_USER=1000"},
		"worker":  {"BELFRY_JWT_SECRET_FILE=", "BELFRY_TOKENS_FILE=" + tokens, "BELFRY_POLICY_FILE=" + policy},
	}
}

// supervise starts an installation. more are lines behind those of the shipped
// gateway.env, worker.env and api.env.
func supervise(t *testing.T, broker *harness.Broker, more map[string][]string) *supervised {
	t.Helper()
	dir := installed(t, "EXAMPLE=yes")
	etc := filepath.Join(dir, "etc", "belfry")
	if err := os.MkdirAll(filepath.Join(dir, "run", "belfry"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(etc, "jwt.secret"), "for-this-test-only-signs-tokens-0123456789\n")
	write(t, filepath.Join(etc, "authorize.secret"), "for-this-test-only-worker-asks-0123456789\n")
	edit := strings.NewReplacer(
		"/etc/belfry", etc, "/run/", filepath.Join(dir, "run")+"/", "/var/l", filepath.Join(dir, "var", "l"),
		"/usr/bin/", filepath.Join(dir, "usr", "bin")+"/", "user=belfry\n", "", "minfds=200000", "minfds=4096",
	)
	// This broker has one user for gateways and workers.
	own := []string{"BELFRY_AMQP_URL=" + broker.URL(), "BELFRY_GATEWAY_USERS=guest", "BELFRY_WORKER_USERS=guest"}
	s := &supervised{t: t, conf: filepath.Join(etc, "supervisord.conf")}
	for _, name := range []string{"supervisord.conf", "gateway.env", "worker.env", "api.env"} {
		path := filepath.Join(etc, name)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		edited := edit.Replace(string(text))
		if program, is := strings.CutSuffix(name, ".env"); is {
			edited += strings.Join(slices.Concat(own, more[program]), "\n") + "\n"
		}
		write(t, path, edited)
	}
	bin, err := exec.LookPath("supervisord")
	if err != nil {
		t.Fatalf("supervisord is missing: install the package supervisor: %v", err)
	}
	s.daemon = harness.Run(t, "supervisord", bin, "-n", "-c", s.conf)
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		logs, _ := filepath.Glob(filepath.Join(dir, "var", "log", "belfry", "*.log"))
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
	until(s.t, "supervisord to start "+name+" again", 30*time.Second, func() error {
		out, err := exec.Command("supervisorctl", "-c", s.conf, "pid", name).CombinedOutput()
		if now, _ := strconv.Atoi(strings.TrimSpace(string(out))); now == 0 || now == before {
			return fmt.Errorf("supervisorctl says %s (%w)", out, err)
		}
		return nil
	})
	s.waitReady(name)
}

// waitReady waits until a program says that it is.
func (s *supervised) waitReady(name string) {
	s.t.Helper()
	until(s.t, name+" to be ready", 30*time.Second, func() error { return harness.Healthy(s.t.Context(), health[name]) })
}
