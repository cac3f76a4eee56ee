//go:build containers

package blackbox

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"belfry/e2e/containers"
	"belfry/e2e/harness"
)

func TestMain(m *testing.M) {
	os.Exit(containers.Main(func() int { return harness.Main(m) }))
}

// TestContainers runs docker-compose.yml with two gateways and two workers, and
// speaks TLS to its nginx. Of the compose file only the way in which workers check
// tokens is another, and what the rows look at is opened: debug logs, and the admin
// listeners.
func TestContainers(t *testing.T) {
	containers.Needs(t)
	shape := harness.Shape{Shards: 1, Auth: harness.ByJWT}
	in := harness.Prepare(t, shape)
	readable(t, in.Dir())
	project := containers.Up(t, override(in), "gateway=2", "worker=2")
	follow := func(service string) (all []harness.Follower) {
		for _, c := range project.Containers(t, service) {
			all = append(all, harness.Follower{Name: c.Name, Admin: c.IP + ":9051", Log: c.Follow()})
		}
		return all
	}
	in.Attach(t, harness.Elsewhere{
		Gateways: follow("gateway"), Workers: follow("worker"),
		Broker: harness.BrokerElsewhere(t, containers.BrokerAddr, project.Ctl),
		Nginx:  &harness.Nginx{Addr: containers.TLSAddr, TLS: project.Trust(t)},
		Page:   true,
	})
	rows(t, in, shape, false)
	t.Run("Logs", func(t *testing.T) {
		noToken(t, map[string]string{"access.log": project.Compose(t, "logs", "--no-color", "--no-log-prefix", "nginx")})
	})
}

// TestLimitsInContainers gives each row about settings a gateway's container with
// these settings. The row about a worker's ports looks at processes, so it is not
// among them.
func TestLimitsInContainers(t *testing.T) {
	containers.Needs(t)
	in := harness.Prepare(t, harness.Shape{Shards: 1, Auth: harness.ByJWT})
	readable(t, in.Dir())
	project := containers.Up(t, override(in))
	var gateways, workers []harness.Follower
	for i, row := range limited {
		name, ip := fmt.Sprint("limited", i), fmt.Sprint("172.30.51.", 100+i)
		env := slices.DeleteFunc(slices.Clone(row.env), func(v string) bool {
			return strings.HasPrefix(v, "BELFRY_TRUSTED_PROXIES=") // the compose file's suffice
		})
		gateways = append(gateways, harness.Follower{
			Name: name, Addr: ip + ":8051", Admin: ip + ":9051", Log: project.Another(t, "gateway", name, ip, env...),
		})
	}
	for _, c := range project.Containers(t, "worker") {
		workers = append(workers, harness.Follower{Name: c.Name, Admin: c.IP + ":9051", Log: c.Follow()})
	}
	in.Attach(t, harness.Elsewhere{
		Gateways: gateways, Workers: workers, Broker: harness.BrokerElsewhere(t, containers.BrokerAddr, project.Ctl),
	})
	for i, row := range limited {
		t.Run(row.name, func(t *testing.T) { row.run(t, in, i) })
	}
}

// override is the rest of the compose file.
func override(in *harness.Installation) string {
	var text strings.Builder
	text.WriteString("services:\n  gateway:\n    environment:\n")
	open := []string{"BELFRY_LOG_LEVEL=debug", "BELFRY_ADMIN_LISTEN=0.0.0.0:9051", "BELFRY_ADMIN_ALLOW_REMOTE=true"}
	set := func(variables ...string) {
		for _, v := range variables {
			name, value, _ := strings.Cut(v, "=")
			fmt.Fprintf(&text, "      %s: %q\n", name, value)
		}
	}
	set(open...)
	set("BELFRY_NAME=gateway") // for who looks at the names of reply queues
	text.WriteString("  worker:\n    environment:\n")
	set(open...)
	set("BELFRY_NAME=worker")
	set(in.Env()...)
	set("BELFRY_USER_CLAIM=sub")
	fmt.Fprintf(&text, "    volumes: [%q]\n", in.Dir()+":"+in.Dir()+":ro")
	return text.String()
}

// readable lets the images' user, nobody, read the secrets of the test.
func readable(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there is nothing in %s: %v", dir, err)
	}
	for _, f := range files {
		if err := os.Chmod(f, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
