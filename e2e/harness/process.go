package harness

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"belfry/pkg/amqpbus/brokertest"
)

// Process is one program that the harness started.
type Process struct {
	Name  string
	Addr  string // gateway: its public address
	Admin string // its admin listener
	env   []string
	bin   string
	args  []string
	log   string

	cmd   *exec.Cmd
	done  chan struct{} // closed when the process has ended
	asked atomic.Bool   // the test ends it, or lets it end
}

// Run starts a program that is not Belfry's and ends it, with SIGTERM, when the
// test does.
func Run(t testing.TB, name, bin string, args ...string) *Process {
	t.Helper()
	p := &Process{Name: name, bin: bin, args: args, log: filepath.Join(t.TempDir(), name+".log")}
	p.start(t)
	t.Cleanup(func() {
		p.inspect(t)
		if _, err := p.Terminate(60 * time.Second); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the last lines of %s:\n%s", name, p.tail(40))
		}
	})
	return p
}

// start runs the program; its output goes to a log of its own.
func (p *Process) start(t testing.TB) {
	t.Helper()
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatalf("open the log of %s: %v", p.Name, err)
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(p.bin, p.args...)
	cmd.Env = append(cleanEnvironment(), p.env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = filepath.Dir(p.log)
	// Its own group: an interrupt of the test does not reach it before the harness does.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", p.Name, err)
	}
	done := make(chan struct{})
	p.cmd, p.done = cmd, done
	p.asked.Store(false)
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
}

// cleanEnvironment is the caller's, without any of Belfry's variables.
func cleanEnvironment() []string {
	var out []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "BELFRY_") {
			out = append(out, v)
		}
	}
	return out
}

// Restart runs the same program with the same environment again.
func (p *Process) Restart(t testing.TB) {
	t.Helper()
	<-p.done
	p.start(t)
}

// Kill9 ends the process without a word and waits until it is gone.
func (p *Process) Kill9() {
	p.asked.Store(true)
	_ = p.cmd.Process.Kill()
	<-p.done
}

// Signal sends a signal. After SIGTERM the process may end.
func (p *Process) Signal(s syscall.Signal) {
	if s == syscall.SIGTERM {
		p.asked.Store(true)
	}
	_ = p.cmd.Process.Signal(s)
}

// MayEnd says that the process may end by itself.
func (p *Process) MayEnd() { p.asked.Store(true) }

// Terminate sends SIGTERM and waits for the end. It returns the exit status,
// and an error when the grace period was not enough.
func (p *Process) Terminate(grace time.Duration) (int, error) {
	p.Signal(syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-timer.C:
		p.Kill9()
		return -1, fmt.Errorf("%s did not end within %v of SIGTERM", p.Name, grace)
	}
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Pid is the process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// ExitCode is the exit status of an ended process.
func (p *Process) ExitCode() int { return p.cmd.ProcessState.ExitCode() }

// Log is everything that the process wrote.
func (p *Process) Log() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// tail is the end of the log, for a failed test.
func (p *Process) tail(lines int) string {
	var all []string
	s := bufio.NewScanner(bytes.NewReader([]byte(p.Log())))
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		all = append(all, s.Text())
	}
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// WaitReady waits until the admin listener says ready. It returns what was
// missing last.
func (p *Process) WaitReady(within time.Duration) error {
	if p.Admin == "" {
		return nil // it has no such listener: nobody can ask
	}
	within = Within(within)
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	last := errors.New("it did not answer")
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-p.done:
			return fmt.Errorf("%s ended with status %d before it was ready", p.Name, p.ExitCode())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready after %v: %w", p.Name, within, last)
		case <-tick.C:
		}
		status, body, err := Get(ctx, "http://"+p.Admin+"/health/ready")
		switch {
		case ctx.Err() != nil: // it was asked too late
		case err != nil:
			last = err
		case status == http.StatusOK:
			return nil
		default:
			last = fmt.Errorf("HTTP %d: %s", status, body)
		}
	}
}

// Get is one HTTP GET; the body is read whole.
func Get(ctx context.Context, url string) (int, string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", fmt.Errorf("ask %s: %w", url, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", fmt.Errorf("ask %s: %w", url, err)
	}
	defer func() { _ = response.Body.Close() }()
	var b bytes.Buffer
	if _, err := b.ReadFrom(response.Body); err != nil {
		return 0, "", fmt.Errorf("read %s: %w", url, err)
	}
	return response.StatusCode, b.String(), nil
}

// FreeAddr is an address on the loopback interface that nobody listens on.
func FreeAddr(t testing.TB) string {
	t.Helper()
	port, err := brokertest.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return "127.0.0.1:" + strconv.Itoa(port)
}
