package operations

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"belfry/e2e/harness"
	"belfry/e2e/wsclient"
)

// piped is a gateway whose standard error has a reader of the test.
type piped struct{ *harness.Process }

// pipeGateway starts a gateway that writes its log to stderr, or, when that is
// nil, has none.
func pipeGateway(t *testing.T, in *harness.Installation, stderr *os.File) piped {
	t.Helper()
	cmd := exec.Command(harness.Binary(t, "gateway"))
	if stderr == nil {
		cmd = exec.Command("/bin/sh", "-c", `exec "$0" 2>&-`, harness.Binary(t, "gateway"))
	} else {
		cmd.Stderr = stderr
	}
	return piped{startGateway(t, in, cmd)}
}

// startGateway starts a gateway by a command of the test's, and waits until it is ready.
func startGateway(t *testing.T, in *harness.Installation, cmd *exec.Cmd) *harness.Process {
	t.Helper()
	addr, admin := harness.FreeAddr(t), harness.FreeAddr(t)
	cmd.Env = []string{
		"BELFRY_AMQP_URL=" + in.Broker.URL(), "BELFRY_LISTEN=" + addr, "BELFRY_ADMIN_LISTEN=" + admin,
		"BELFRY_LOG_LEVEL=debug", "BELFRY_MAX_PER_USER=20", "BELFRY_DRAIN_NOTICE=0s",
	}
	p, err := harness.Launch("gateway", filepath.Join(t.TempDir(), "gateway.log"), cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill9)
	p.Addr, p.Admin = addr, admin
	if err := p.WaitReady(patience); err != nil {
		t.Fatal(err)
	}
	return p
}

// ends waits for the end and its status.
func ends(t *testing.T, p *harness.Process) {
	t.Helper()
	select {
	case <-p.Done():
		if p.ExitCode() != 0 {
			t.Errorf("%s ended with status %d", p.Name, p.ExitCode())
		}
	case <-time.After(harness.Within(30 * time.Second)):
		t.Fatalf("%s did not end", p.Name)
	}
}

// chatter makes the gateway log: refused requests, and one after the other more
// connections than a user may have at a time.
func (p piped) chatter(t *testing.T, in *harness.Installation, requests int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for range requests {
		if _, _, err := harness.Get(ctx, "http://"+p.Addr+"/nothing-is-here"); err != nil {
			t.Fatal(err)
		}
	}
	for range 60 {
		r := in.Request(0, wsclient.Request{Token: harness.TokenAdmin})
		r.Addr = p.Addr
		conn, answer, err := wsclient.Dial(t.Context(), r)
		if err != nil || conn == nil {
			t.Fatalf("connect: %v, %+v", err, answer)
		}
		next(t, conn)
		if err := conn.Leave(1000, patience); err != nil {
			t.Fatal(err)
		}
	}
}

var droppedLine = regexp.MustCompile(`(?m)^belfry_log_lines_dropped_total\{reason="([a-z]+)"\} ([0-9]+)$`)

func (p piped) dropped(t *testing.T) map[string]int {
	t.Helper()
	_, text, err := harness.Get(t.Context(), "http://"+p.Admin+"/metrics")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int{}
	for _, m := range droppedLine.FindAllStringSubmatch(text, -1) {
		out[m[1]], _ = strconv.Atoi(m[2])
	}
	return out
}

// TestALogReaderEndsNothing: the reader of a gateway's log goes away, stands
// still, or was never there. Clients notice nothing, no connection is counted
// for ever, and the gateway drains when it is told to.
func TestALogReaderEndsNothing(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	in := harness.Start(t, harness.Shape{Gateways: 1, Workers: 1, Shards: 1})
	for _, c := range []struct {
		name     string
		read     func(*os.File)
		closed   bool
		requests int
		dropped  string
	}{
		{name: "head -1", requests: 10, dropped: "failed", read: func(r *os.File) {
			_, _ = bufio.NewReader(r).ReadString('\n')
			_ = r.Close()
		}},
		{name: "nobody reads", requests: 8000, dropped: "full", read: func(*os.File) {}},
		{name: "2>&-", requests: 10, closed: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var p piped
			if c.closed {
				p = pipeGateway(t, in, nil)
			} else {
				r, w, err := os.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = r.Close() })
				p = pipeGateway(t, in, w)
				_ = w.Close()
				c.read(r)
			}
			request := in.Request(0, wsclient.Request{Token: harness.TokenAdmin})
			watcher := join(t, p.Addr, request.Token, "jobs", "status_changed")
			p.chatter(t, in, c.requests)
			in.Emit(t, "jobs-status_changed", `{"group_name":"jobs"}`)
			if got := nextEvent(t, watcher); got != `{"group_name":"jobs"}` {
				t.Errorf("the watcher got %s", got)
			}
			dropped := p.dropped(t)
			for reason, n := range dropped {
				if (n > 0) != (reason == c.dropped) {
					t.Errorf("%d lines dropped because %s", n, reason)
				}
			}
			if len(dropped) != 2 {
				t.Errorf("dropped %v", dropped)
			}
			p.Signal(syscall.SIGTERM)
			askedToLeave(t, watcher)
			watcher.Drop()
			ends(t, p.Process)
		})
	}
}

// TestALogReaderThatGoesOn is told how many lines are missing.
func TestALogReaderThatGoesOn(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	in := harness.Start(t, harness.Shape{Gateways: 1, Workers: 1, Shards: 1})
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	p := pipeGateway(t, in, w)
	_ = w.Close()
	p.chatter(t, in, 8000)
	missing := p.dropped(t)["full"]
	all := make(chan []byte, 1)
	go func() {
		text, _ := io.ReadAll(r)
		all <- text
	}()
	p.Signal(syscall.SIGTERM)
	ends(t, p.Process)
	told := regexp.MustCompile(`"msg":"log lines were dropped[^}]*"lines":([0-9]+)`).FindAllSubmatch(<-all, -1)
	sum := 0
	for _, m := range told {
		n, _ := strconv.Atoi(string(m[1]))
		sum += n
	}
	if missing == 0 || sum < missing {
		t.Errorf("%d lines were dropped, the log tells of %d, in %d lines", missing, sum, len(told))
	}
}

// TestHangUpDrains: a terminal that closes asks gateway and worker to stop, as SIGTERM
// does, however often it says so.
func TestHangUpDrains(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	in := harness.Start(t, harness.Shape{Workers: 1, Gateways: 1, Shards: 1, Env: []string{"BELFRY_DRAIN_NOTICE=0s"}})
	g := in.Gateways[0]
	request := in.Request(0, wsclient.Request{Token: harness.TokenAdmin})
	watcher := join(t, g.Addr, request.Token, "jobs", "status_changed")
	hangUp := func(p *harness.Process) {
		p.MayEnd()
		p.Signal(syscall.SIGHUP)
		p.Signal(syscall.SIGHUP)
	}
	hangUp(g)
	askedToLeave(t, watcher)
	watcher.Drop()
	ends(t, g)
	hangUp(in.Workers[0])
	ends(t, in.Workers[0])
}
