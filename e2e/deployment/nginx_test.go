package deployment

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"belfry/e2e/harness"
)

// TestNginxReadsItsFiles lets nginx itself check the files that no other test
// starts: production's, and those of docker-compose.yml, whose names no resolver
// knows here.
func TestNginxReadsItsFiles(t *testing.T) {
	needsBroker(t)
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ file, main string }{
		"production": {"deploy/nginx/production.conf", "events {}\nhttp { include production.conf; }\n"},
		"compose":    {"deploy/compose/nginx.conf", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if out, err := exec.Command(filepath.Join(root, "deploy", "nginx", "certificate"), dir).CombinedOutput(); err != nil {
				t.Fatalf("make a certificate: %v\n%s", err, out)
			}
			here := strings.NewReplacer(
				"/etc/nginx/belfry", dir, "/etc/ssl/belfry", dir, "/tmp/nginx", dir, "/var/log/nginx", dir,
				"gateway:8051", "127.0.0.1:8051", "api:8050", "127.0.0.1:8050", "listen [::]:80", "# listen [::]:80", "listen [::]:443", "# listen [::]:443",
			)
			files := []string{c.file}
			for _, part := range []string{"http", "log", "tls", "locations"} {
				files = append(files, "deploy/nginx/"+part+".conf")
			}
			for _, file := range files {
				text, err := os.ReadFile(filepath.Join(root, file))
				if err != nil {
					t.Fatal(err)
				}
				write(t, filepath.Join(dir, filepath.Base(file)), here.Replace(string(text)))
			}
			main := filepath.Join(dir, filepath.Base(c.file))
			if c.main != "" {
				main = filepath.Join(dir, "main.conf")
				write(t, main, c.main)
			}
			out, err := exec.Command(harness.NginxProgram(), "-t", "-p", dir, "-e", "error.log", "-g", "pid nginx.pid;", "-c", main).CombinedOutput()
			if err != nil {
				t.Errorf("nginx -t: %v\n%s", err, out)
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
