//go:build containers

package containers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"belfry/e2e/harness"
	"belfry/e2e/visitor"
	"belfry/e2e/wsclient"
)

func TestMain(m *testing.M) { os.Exit(Main(m.Run)) }

// lineCount is how many lines the example's job "count" writes.
const lineCount = 60

// TestContainers does with docker-compose.yml what its first lines tell a reader
// to do, and what an operator does after that.
func TestContainers(t *testing.T) {
	Needs(t)
	p := Up(t, "")
	healthy(t, p)
	trust := p.Trust(t)
	alice := visitor.Visit(t, "https://"+TLSAddr, trust, "alice")
	summary, reply := alice.Watch(TLSAddr, "jobs-summary")
	if !strings.Contains(reply, `"groups_joined": ["jobs-summary"]`) {
		t.Fatalf("the reply is %s", reply)
	}

	t.Run("a job's output", func(t *testing.T) {
		bob := visitor.Visit(t, "https://"+TLSAddr, trust, "bob")
		job := bob.Launch("count")
		conn, _ := bob.Watch(TLSAddr, fmt.Sprintf("job_events-%d", job))
		bob.Lines(conn, job, lineCount)
		var stored []struct{ Counter int }
		bob.Call(http.MethodGet, fmt.Sprintf("/api/jobs/%d/events?after=0", job), nil, &stored)
		if len(stored) != lineCount {
			t.Errorf("the API has %d lines, want %d", len(stored), lineCount)
		}
	})
	t.Run("the page and the port without TLS", func(t *testing.T) {
		for _, path := range []string{"/", "/static/belfry.min.js"} {
			status, body, err := harness.Get(t.Context(), "http://"+PlainAddr+path)
			if err != nil || status != http.StatusOK || body == "" {
				t.Errorf("GET %s: %d with %d bytes, %v", path, status, len(body), err)
			}
		}
	})
	t.Run("belfry emit", func(t *testing.T) { emitted(t, p, summary) })
	t.Run("limits of the containers", func(t *testing.T) { confined(t, p) })
	t.Run("two workers and three gateways", func(t *testing.T) {
		p.Up(t, "worker=2", "gateway=3")
		p.Compose(t, "restart", "nginx")
		healthy(t, p)
		if gateways, workers := len(p.Containers(t, "gateway")), len(p.Containers(t, "worker")); gateways != 3 || workers != 2 {
			t.Fatalf("%d gateways and %d workers run, want 3 and 2", gateways, workers)
		}
		var sockets []*wsclient.Conn
		for range 6 {
			conn, _ := alice.Watch(TLSAddr, "jobs-summary")
			sockets = append(sockets, conn)
		}
		for _, gateway := range p.Containers(t, "gateway") {
			if n := established(t, gateway); n != 2 {
				t.Errorf("nginx gave %d of 6 sockets to %s, want 2 of each gateway", n, gateway.Name)
			}
		}
		emitted(t, p, sockets...)
		summary = sockets[0]
	})
	t.Run("the broker is restarted", func(t *testing.T) {
		p.Compose(t, "restart", "broker")
		healthy(t, p) // the others were not, for want of a broker
		emitted(t, p, summary)
	})
	t.Run("stop", func(t *testing.T) {
		p.Compose(t, "stop")
		for _, service := range []string{"nginx", "api", "gateway", "worker", "broker"} {
			for _, c := range p.Containers(t, service) {
				state := Docker(t, "inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}, at {{.State.FinishedAt}}", c.ID)
				t.Log(c.Name, state)
				if !strings.HasPrefix(state, "exited 0,") {
					t.Errorf("%s: %s, want exited 0", c.Name, state)
				}
			}
		}
	})
}

// healthy waits until all containers are, and fails when one was started again.
func healthy(t *testing.T, p *Project) {
	t.Helper()
	services := []string{"broker", "nginx", "api", "gateway", "worker"}
	harness.Until(t, 3*time.Minute, "every container to be healthy", func() bool {
		for _, service := range services {
			all := p.Containers(t, service)
			for _, c := range all {
				if Docker(t, "inspect", "--format", "{{.State.Health.Status}}", c.ID) != "healthy" {
					return false
				}
			}
			if len(all) == 0 {
				return false
			}
		}
		return true
	})
	for _, service := range services {
		for _, c := range p.Containers(t, service) {
			if again := Docker(t, "inspect", "--format", "{{.RestartCount}}", c.ID); again != "0" {
				t.Errorf("%s ended and was started again %s times", c.Name, again)
			}
		}
	}
}

// emitted emits with the command line, in a container of its own, and waits for
// the event on every socket. Others' events, and the notice of a gap after the
// broker was away, may come first.
func emitted(t *testing.T, p *Project, sockets ...*wsclient.Conn) {
	t.Helper()
	event := fmt.Sprintf(`{"group_name": "jobs", "unified_job_id": %d}`, time.Now().UnixNano())
	p.Compose(t, "run", "--rm", "--no-TTY", "belfry", "emit", "jobs-summary", event)
	for i, conn := range sockets {
		for {
			text, err := conn.Next(30 * time.Second)
			if err != nil {
				t.Fatalf("socket %d waits for the event: %v", i, err)
			}
			if text == event {
				break
			}
			if !strings.HasPrefix(text, `{"gap": `) && !json.Valid([]byte(text)) {
				t.Fatalf("socket %d got %s", i, text)
			}
		}
	}
}

// confined looks at what the compose file takes from the containers.
func confined(t *testing.T, p *Project) {
	t.Helper()
	for _, service := range []string{"api", "gateway", "worker"} {
		for _, c := range p.Containers(t, service) {
			settings := Docker(t, "inspect", "--format", "{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}} {{.Config.User}}", c.ID)
			if want := "true [ALL] [no-new-privileges:true] 65534:65534"; settings != want {
				t.Errorf("%s: %s, want %s", c.Name, settings, want)
			}
		}
	}
	// The broker has what the machine allows, up to 65,536.
	var soft, hard int
	limits := p.Compose(t, "exec", "--no-TTY", "broker", "sh", "-c", "cat /proc/1/limits")
	at := strings.Index(limits, "Max open files")
	if at < 0 {
		t.Fatalf("the broker's limits are %s", limits)
	}
	if _, err := fmt.Sscanf(limits[at+len("Max open files"):], "%d %d", &soft, &hard); err != nil {
		t.Fatal(err)
	}
	if soft != hard || soft < 4096 && soft < allowed(t) || soft > 65536 {
		t.Errorf("the broker may have %d descriptors, at most %d; the machine allows %d", soft, hard, allowed(t))
	}
	t.Logf("the broker may have %d descriptors", soft)
}

// allowed is how many descriptors this process may have.
func allowed(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/limits")
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(text), "Max open files")
	fields := strings.Fields(line)
	var hard int
	if _, err := fmt.Sscan(fields[1], &hard); err != nil {
		t.Fatal(err)
	}
	return hard
}

// established counts the connections that a gateway has taken on its port, in its
// own network.
func established(t *testing.T, c Container) (count int) {
	t.Helper()
	pid := Docker(t, "inspect", "--format", "{{.State.Pid}}", c.ID)
	text, err := os.ReadFile("/proc/" + pid + "/net/tcp6")
	if err != nil {
		t.Fatal(err)
	}
	const port, state = ":1F73", "01" // 8051, established
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 3 && strings.HasSuffix(fields[1], port) && fields[3] == state {
			count++
		}
	}
	return count
}
