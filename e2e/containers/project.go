//go:build containers

package containers

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"belfry/e2e/harness"
)

// Where docker-compose.yml listens, in the network of the test.
const (
	PlainAddr  = "127.0.0.1:8013"
	TLSAddr    = "127.0.0.1:8043"
	BrokerAddr = "127.0.0.1:5672"
)

// Project is docker-compose.yml on the test's engine. There is one at a time.
type Project struct {
	files []string
	scale []string
}

// Container is one of a service's.
type Container struct {
	ID, Name string
	IP       string // in the compose network, which the test reaches
}

// Up starts the services and waits until their health checks pass. They end with
// the test. override is more of a compose file, or empty; scale says how many of
// a service there are ("gateway=2").
func Up(t *testing.T, override string, scale ...string) *Project {
	t.Helper()
	p := &Project{files: []string{"--file", "docker-compose.yml"}}
	for _, s := range scale {
		p.scale = append(p.scale, "--scale", s)
	}
	if override != "" {
		file := filepath.Join(t.TempDir(), "override.yml")
		if err := os.WriteFile(file, []byte(override), 0o600); err != nil {
			t.Fatal(err)
		}
		p.files = append(p.files, "--file", file)
	}
	p.Compose(t, "down", "--volumes", "--remove-orphans") // of a run that was killed
	t.Cleanup(func() {
		if t.Failed() {
			logs, err := engine.compose(append(slices.Clone(p.files), "logs", "--no-color", "--tail", "40")...)
			t.Logf("what the containers wrote last (%v):\n%s", err, logs)
		}
		p.Compose(t, "down", "--volumes", "--remove-orphans")
	})
	p.Up(t)
	return p
}

// Up starts what does not run, and waits; scale says how many more there are.
func (p *Project) Up(t *testing.T, scale ...string) {
	t.Helper()
	arguments := append([]string{"up", "--detach", "--no-build", "--no-recreate", "--wait", "--wait-timeout", "240"}, p.scale...)
	for _, s := range scale {
		arguments = append(arguments, "--scale", s)
	}
	p.Compose(t, arguments...)
}

// Compose runs compose about the project and returns its standard output.
func (p *Project) Compose(t *testing.T, arguments ...string) string {
	t.Helper()
	out, err := engine.compose(append(slices.Clone(p.files), arguments...)...)
	if err != nil {
		t.Error(err)
	}
	return out
}

// Docker runs Docker's command line and returns its standard output.
func Docker(t *testing.T, arguments ...string) string {
	t.Helper()
	out, err := engine.docker(arguments...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// Containers are those of a service that run, or have ended.
func (p *Project) Containers(t *testing.T, service string) []Container {
	t.Helper()
	var out []Container
	for id := range strings.FieldsSeq(p.Compose(t, "ps", "--all", "--quiet", service)) {
		c := Container{ID: id}
		said := Docker(t, "inspect", "--format", "{{.Name}} {{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", id)
		name, ip, _ := strings.Cut(said, " ")
		c.Name, c.IP = strings.TrimPrefix(name, "/"), strings.TrimSpace(ip)
		out = append(out, c)
	}
	return out
}

// Follow is a command that writes a container's log until the container ends, as
// a program and its arguments.
func (c Container) Follow() []string {
	return []string{filepath.Join(engine.folder, "programs", "usr", "bin", "docker"), "--host", engine.address(), "logs", "--follow", c.ID}
}

// Another is a command that runs one more container of a service, at an address of
// the compose network and with more of an environment, and writes its log. It
// passes signals on and ends with the container's status.
func (p *Project) Another(t *testing.T, service, name, ip string, env ...string) []string {
	t.Helper()
	one := p.Containers(t, service)[0]
	command := []string{
		filepath.Join(engine.folder, "programs", "usr", "bin", "docker"), "--host", engine.address(), "run", "--rm", "--name", name,
		"--network", "belfry_default", "--ip", ip, "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true",
	}
	for v := range strings.Lines(Docker(t, "inspect", "--format", "{{range .Config.Env}}{{println .}}{{end}}", one.ID)) {
		command = append(command, "--env", strings.TrimSpace(v))
	}
	for _, v := range env {
		command = append(command, "--env", v)
	}
	// Whoever was not ended by the test would keep the network.
	t.Cleanup(func() { _, _ = engine.docker("rm", "--force", name) })
	return append(command, Docker(t, "inspect", "--format", "{{.Config.Image}}", one.ID))
}

// Trust is what clients verify nginx with.
func (p *Project) Trust(t *testing.T) *tls.Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "certificate.pem")
	text := p.Compose(t, "exec", "--no-TTY", "nginx", "cat", "/tmp/nginx/certificate.pem")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return harness.Trust(t, file)
}

// Ctl runs rabbitmqctl in the broker's container.
func (p *Project) Ctl(arguments ...string) (string, error) {
	out, err := engine.compose(append(slices.Clone(p.files), append([]string{"exec", "--no-TTY", "broker", "rabbitmqctl", "-q"}, arguments...)...)...)
	if err != nil {
		return out, fmt.Errorf("in the broker's container: %w", err)
	}
	return out, nil
}
