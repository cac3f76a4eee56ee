package harness

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
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
func Run(t T, name, bin string, args ...string) *Process {
	t.Helper()
	p := &Process{Name: name, bin: bin, args: args, log: filepath.Join(t.TempDir(), name+".log")}
	p.start(t)
	t.Cleanup(func() {
		p.inspect(t)
		if _, err := p.Terminate(60 * time.Second); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the last lines of %s:\n%s", name, p.Tail(40))
		}
	})
	return p
}

// Launch starts a command that the caller ends, by Terminate or Kill9. It does not
// outlive the caller; what it has started itself may. What it writes goes to the end
// of the file log, but for an output that has a place of its own in cmd.
func Launch(name, log string, cmd *exec.Cmd) (*Process, error) {
	p := &Process{Name: name, log: log}
	return p, p.launch(cmd)
}

func (p *Process) launch(cmd *exec.Cmd) error {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the log of %s: %w", p.Name, err)
	}
	defer func() { _ = log.Close() }()
	if cmd.Stdout == nil {
		cmd.Stdout = log
	}
	if cmd.Stderr == nil {
		cmd.Stderr = log
	}
	// Its own group: an interrupt of the caller does not reach it before the harness does.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	done := make(chan struct{})
	p.cmd, p.done = cmd, done
	p.asked.Store(false)
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	return nil
}

// start runs the program of a test, in the folder of its log.
func (p *Process) start(t T) {
	t.Helper()
	cmd := exec.Command(p.bin, p.args...)
	cmd.Env = append(cleanEnvironment(), p.env...)
	cmd.Dir = filepath.Dir(p.log)
	if err := p.launch(cmd); err != nil {
		t.Fatal(err)
	}
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
func (p *Process) Restart(t T) {
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

// Terminate sends SIGTERM and waits for the end. It returns the exit status, or an
// error when the grace period was not enough: then it has killed the process, with
// what that started.
func (p *Process) Terminate(grace time.Duration) (int, error) {
	p.Signal(syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-timer.C:
		_ = syscall.Kill(-p.Pid(), syscall.SIGKILL)
		<-p.done
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

// Tail is the end of the log, for an error.
func (p *Process) Tail(lines int) string {
	var all []string
	s := bufio.NewScanner(bytes.NewReader([]byte(p.Log())))
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		all = append(all, s.Text())
	}
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// WaitReady waits until the admin listener says ready. The error says what was
// missing last.
func (p *Process) WaitReady(within time.Duration) error {
	if p.Admin == "" {
		return nil // it has no such listener: nobody can ask
	}
	ctx, cancel := context.WithTimeout(context.Background(), Within(within))
	defer cancel()
	return p.Await(ctx, "it to be ready", func() error { return p.Ready(ctx) })
}

// Ready asks the admin listener once; nil: it says ready.
func (p *Process) Ready(ctx context.Context) error {
	return Healthy(ctx, "http://"+p.Admin+"/health/ready")
}

// Healthy asks once whether something is healthy: nil, when it answers 200.
func Healthy(ctx context.Context, url string) error {
	status, body, err := Get(ctx, url)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("HTTP %d: %s", status, body)
	}
	return nil
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
func FreeAddr(t T) string {
	t.Helper()
	port, err := brokertest.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return "127.0.0.1:" + strconv.Itoa(port)
}
