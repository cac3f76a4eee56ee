package agreement

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"belfry/e2e/harness"
)

// files holds the text of each file by its path below the repository's top.
type files map[string]string

const (
	composeFile    = "docker-compose.yml"
	dockerFile     = "Dockerfile"
	makeFile       = "Makefile"
	procFile       = "Procfile"
	supervisorFile = "deploy/supervisord/supervisord.conf"
	gatewayUnit    = "deploy/systemd/belfry-gateway@.service"
	workerUnit     = "deploy/systemd/belfry-worker@.service"
	apiUnit        = "deploy/systemd/belfry-api.service"
	gatewayEnv     = "deploy/etc/gateway.env"
	workerEnv      = "deploy/etc/worker.env"
	apiEnv         = "deploy/etc/api.env"
	nginxLocations = "deploy/nginx/locations.conf"
	nginxLog       = "deploy/nginx/log.conf"
	nginxCompose   = "deploy/compose/nginx.conf"
	nginxProd      = "deploy/nginx/production.conf"
	nginxDev       = "deploy/nginx/development.conf"
	envFile        = ".env"
	towerFile      = "examples/tower/serve.go"
	towerAPI       = "examples/tower/api/api.go"
	edgeFile       = "services/gateway/internal/edge/edge.go"
	adminFile      = "pkg/daemon/admin.go"
	brokerFile     = "deploy/rabbitmq/definitions.json"
)

var all = []string{
	composeFile, dockerFile, makeFile, procFile, supervisorFile, gatewayUnit, workerUnit,
	nginxLocations, nginxProd, nginxDev, brokerFile,
	nginxLog, nginxCompose, envFile, towerFile,
	apiUnit, gatewayEnv, workerEnv, apiEnv, towerAPI, edgeFile, adminFile,
}

func read(t *testing.T) files {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	f := files{}
	for _, name := range all {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		f[name] = string(b)
	}
	return f
}

// find returns the first group of every match; none is an error.
func find(text, pattern string) ([]string, error) {
	found := regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1)
	if len(found) == 0 {
		return nil, fmt.Errorf("nothing matches %s", pattern)
	}
	var out []string
	for _, m := range found {
		out = append(out, m[len(m)-1])
	}
	return out, nil
}

// section is the part of an INI file below a header, without comments.
func section(text, header string) string {
	_, rest, _ := strings.Cut(text, "["+header+"]\n")
	rest, _, _ = strings.Cut(rest, "\n[")
	var b strings.Builder
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, ";") && !strings.HasPrefix(line, "#") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// one returns the only match.
func one(text, pattern string) (match string, err error) {
	found, err := find(text, pattern)
	if err != nil {
		return "", err
	}
	if len(found) > 1 {
		return "", fmt.Errorf("%d matches of %s", len(found), pattern)
	}
	return found[0], nil
}
