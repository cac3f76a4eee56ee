package deployment

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"belfry/e2e/harness"
)

// files are the paths below a folder, and the folders that hold nothing.
func files(t *testing.T, dest string) (all, empty []string) {
	t.Helper()
	err := filepath.WalkDir(dest, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, dest)
		if !entry.IsDir() {
			all = append(all, name)
		} else if inside, err := os.ReadDir(path); err != nil || len(inside) == 0 {
			empty = append(empty, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all, empty
}

func uninstalled(t *testing.T, dest string, variables ...string) string {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command("make", append([]string{"uninstall", "DESTDIR=" + dest}, variables...)...)
	command.Dir = root
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("make uninstall: %v\n%s", err, out)
	}
	return string(out)
}

// TestInstallWithoutTheExample: nothing of the example is in production unless
// EXAMPLE=yes asks for it.
func TestInstallWithoutTheExample(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	ofExample := regexp.MustCompile(`belfry-tower|belfry-api|/api\.env|share/belfry/static|location /static`)
	for _, c := range []struct {
		variables []string
		found     bool
	}{{nil, false}, {[]string{"EXAMPLE=yes"}, true}} {
		dest := installed(t, c.variables...)
		all, _ := files(t, dest)
		var found []string
		for _, name := range all {
			if ofExample.MatchString(name) {
				found = append(found, name)
			}
			if !strings.HasPrefix(name, "/etc/") && !strings.HasPrefix(name, "/usr/lib/") {
				continue
			}
			text, err := os.ReadFile(dest + name)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(text)) {
				if !strings.HasPrefix(line, "#") && ofExample.MatchString(line) {
					found = append(found, name+": "+line)
				}
			}
		}
		if (len(found) > 0) != c.found {
			t.Errorf("with %v there is of the example: %q", c.variables, found)
		}
		conf, err := os.ReadFile(dest + "/etc/belfry/supervisord.conf")
		if err != nil || strings.Count(string(conf), "\n[program:belfry-gateway]\n") != 1 || strings.Count(string(conf), "\n[program:belfry-worker]\n") != 1 {
			t.Errorf("with %v supervisord.conf has lost a program: %v\n%s", c.variables, err, conf)
		}
	}
}

// TestInstalledMonitoring: the dashboard and the alerts come along, and the alerts
// have addresses that lead somewhere.
func TestInstalledMonitoring(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	address := regexp.MustCompile(`runbook_url: (\S+)#`)
	for want, variables := range map[string][]string{
		"file:///usr/local/share/doc/belfry/operations.md": {"PREFIX=/usr/local"},
		"https://wiki.example.com/belfry/operations":       {"PREFIX=/usr/local", "RUNBOOK=https://wiki.example.com/belfry/operations"},
	} {
		dest := installed(t, variables...)
		shared := filepath.Join(dest, "usr", "local", "share", "belfry")
		rules, err := os.ReadFile(filepath.Join(shared, "prometheus", "belfry.rules.yml"))
		if err != nil {
			t.Fatal(err)
		}
		found := address.FindAllStringSubmatch(string(rules), -1)
		if len(found) != strings.Count(string(rules), "- alert:") {
			t.Errorf("%d of the alerts have an address", len(found))
		}
		for _, m := range found {
			if m[1] != want {
				t.Errorf("an alert leads to %s, not to %s", m[1], want)
			}
			if path, local := strings.CutPrefix(m[1], "file://"); local {
				if _, err := os.Stat(dest + path); err != nil {
					t.Error(err)
				}
			}
		}
		for _, name := range []string{"grafana/belfry.json", "prometheus/prometheus.yml"} {
			if _, err := os.Stat(filepath.Join(shared, name)); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestUninstall: what was installed goes, what somebody changed or made stays and
// is named.
func TestUninstall(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	for _, variables := range [][]string{nil, {"EXAMPLE=yes", "PREFIX=/opt/belfry"}} {
		dest := installed(t, variables...)
		write(t, filepath.Join(dest, "etc", "belfry", "gateway.env"), "BELFRY_AMQP_URL=mine\n")
		write(t, filepath.Join(dest, "etc", "belfry", "jwt.secret"), "made here")
		said := uninstalled(t, dest, variables...)
		left, empty := files(t, dest)
		if want := []string{"/etc/belfry/gateway.env", "/etc/belfry/jwt.secret"}; !slices.Equal(left, want) {
			t.Errorf("after make uninstall %v there are %q, want %q", variables, left, want)
		}
		if !strings.Contains(said, "/etc/belfry/gateway.env") {
			t.Errorf("make uninstall does not say what it kept: %q", said)
		}
		for _, folder := range empty {
			if strings.Contains(folder[1:], "belfry") && !strings.HasPrefix(folder, "/opt") {
				t.Errorf("the empty folder %s is left", folder)
			}
		}
	}
}
