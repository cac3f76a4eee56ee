package deployment

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"belfry/e2e/harness"
)

// installed runs `make install` into a folder.
func installed(t *testing.T, variables ...string) (dest string) {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	dest = t.TempDir()
	install := exec.Command("make", append([]string{"install", "DESTDIR=" + dest, "BIN=" + filepath.Dir(harness.Binary(t, "gateway"))}, variables...)...)
	install.Dir = root
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("make install: %v\n%s", err, out)
	}
	return dest
}

// made are the paths that the files name and `make install` does not bring: what
// docs/deployment.md tells to make, and what the system has.
var made = []string{
	"/etc/belfry/jwt.secret", "/etc/belfry/authorize.secret", "/etc/ssl/belfry/certificate.pem", "/etc/ssl/belfry/key.pem",
	"/var/lib/belfry/tower.db", "/var/log/nginx/belfry.access.log", "/var/log/nginx/belfry.error.log",
	"/run/belfry/supervisord.pid", "/run/belfry/supervisor.sock", "/usr/bin/supervisord", "/bin/sh", "/dev/null",
}

// TestInstalledPaths: every path that an installed file names is installed, or
// described.
func TestInstalledPaths(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	manual, err := os.ReadFile(filepath.Join(root, "docs", "deployment.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range made[:4] {
		if !strings.Contains(string(manual), path) {
			t.Errorf("docs/deployment.md does not tell how to make %s", path)
		}
	}
	for _, prefix := range []string{"/usr", "/usr/local"} {
		t.Run("below "+prefix, func(t *testing.T) {
			dest := installed(t, "EXAMPLE=yes", "PREFIX="+prefix)
			named := 0
			for _, pattern := range []string{"/etc/belfry/*", "/etc/nginx/belfry/*", prefix + "/lib/systemd/system/*"} {
				files, err := filepath.Glob(dest + pattern)
				if err != nil || len(files) == 0 {
					t.Fatalf("nothing is installed as %s: %v", pattern, err)
				}
				for _, file := range files {
					named += checkPaths(t, dest, file)
				}
			}
			for _, file := range []string{"man/man1/belfry.1", "bash-completion/completions/belfry", "zsh/site-functions/_belfry", "fish/vendor_completions.d/belfry.fish"} {
				if text, err := os.ReadFile(dest + prefix + "/share/" + file); err != nil || !strings.Contains(string(text), "belfry") {
					t.Errorf("%s: %v", file, err)
				}
			}
			if named < 40 {
				t.Errorf("the files name %d paths: are they read as they are written?", named)
			}
		})
	}
}

// absolute is an absolute path in a configuration file.
var absolute = regexp.MustCompile(`(?:^|[\s='":])(/(?:etc|usr|var|run|bin|dev)/[\w./%()@-]*\w)`)

func checkPaths(t *testing.T, dest, file string) (named int) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(strings.TrimSpace(line), "#") || strings.HasPrefix(line, ";") {
			continue
		}
		for _, m := range absolute.FindAllStringSubmatch(line, -1) {
			path := m[1]
			named++
			if strings.HasSuffix(path, ".log") && strings.HasPrefix(path, "/var/log/belfry/") {
				path = "/var/log/belfry" // supervisord writes it there
			}
			if _, err := os.Stat(dest + path); err != nil && !slices.Contains(made, path) {
				t.Errorf("%s names %s, which is not installed", filepath.Base(file), path)
			}
		}
	}
	return named
}

// TestInstallKeepsChanges: what somebody changed below /etc stays; the shipped
// file is laid beside it.
func TestInstallKeepsChanges(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	dest := installed(t)
	env := filepath.Join(dest, "etc", "belfry", "gateway.env")
	write(t, env, "BELFRY_AMQP_URL=mine\n")
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	again := exec.Command("make", "install", "DESTDIR="+dest, "BIN="+filepath.Dir(harness.Binary(t, "gateway")))
	again.Dir = root
	out, err := again.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "gateway.env.new") {
		t.Errorf("make install again: %v\n%s", err, out)
	}
	if text, err := os.ReadFile(env); err != nil || string(text) != "BELFRY_AMQP_URL=mine\n" {
		t.Errorf("the changed file is now %q, %v", text, err)
	}
	if news, _ := filepath.Glob(filepath.Join(dest, "etc", "*", "*.new")); len(news) != 1 {
		t.Errorf("the shipped files beside those that stay: %v, want one", news)
	}
}

// TestInstalledOwners lets systemd's own programs make the user and give the
// folders to it; both work without systemd running.
func TestInstalledOwners(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root gives files away")
	}
	dest := installed(t, "EXAMPLE=yes")
	write(t, filepath.Join(dest, "etc", "belfry", "jwt.secret"), "a secret")
	for _, command := range [][]string{{"systemd-sysusers", "--root=" + dest, "belfry.conf"}, {"systemd-tmpfiles", "--root=" + dest, "--create", "belfry.conf"}} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command[0], err, out)
		}
	}
	passwd, err := os.ReadFile(filepath.Join(dest, "etc", "passwd"))
	if err != nil {
		t.Fatal(err)
	}
	ids := regexp.MustCompile(`(?m)^belfry:x:(\d+):(\d+):`).FindStringSubmatch(string(passwd))
	if ids == nil {
		t.Fatalf("no user belfry in %s", passwd)
	}
	for _, want := range []struct {
		path, mode string
		owned      bool // by belfry; the group always is
	}{
		{"etc/belfry", "drwxr-x---", false}, {"etc/belfry/gateway.env", "-rw-r-----", false}, {"etc/belfry/worker.env", "-rw-r-----", false},
		{"etc/belfry/api.env", "-rw-r-----", false}, {"etc/belfry/jwt.secret", "-rw-r-----", false},
		{"var/lib/belfry", "drwxr-x---", true}, {"var/log/belfry", "drwxr-x---", true}, {"run/belfry", "drwxr-x---", true},
	} {
		info, err := os.Stat(filepath.Join(dest, want.path))
		if err != nil {
			t.Error(err)
			continue
		}
		stat := info.Sys().(*syscall.Stat_t)
		owner := "0"
		if want.owned {
			owner = ids[1]
		}
		if got := info.Mode().String(); got != want.mode || fmt.Sprint(stat.Uid) != owner || fmt.Sprint(stat.Gid) != ids[2] {
			t.Errorf("%s is %s %d:%d, want %s %s:%s", want.path, got, stat.Uid, stat.Gid, want.mode, owner, ids[2])
		}
	}
}
