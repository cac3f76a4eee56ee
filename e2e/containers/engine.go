//go:build containers

package containers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"belfry/e2e/harness"
)

// engine is the one that the tests use.
var engine *daemon

// daemon is a dockerd of this test, or one that builds its images.
type daemon struct {
	root   string // of the repository
	folder string // of scripts/engine.sh
	run    string // for sockets and state, below /tmp: a socket's path must be short
	*harness.Process
}

// start makes the images, with the network outside, and then starts the engine of
// the tests, which has none.
func start(folder string) error {
	builder, err := startDaemon(folder, true)
	if err != nil {
		return err
	}
	if err := errors.Join(builder.images(), builder.stop()); err != nil {
		return err
	}
	engine, err = startDaemon(folder, false)
	return err
}

// startDaemon starts a dockerd and waits until it answers. A builder runs in the
// network outside and changes nothing there; the other one makes bridges and
// filters in the test's own.
func startDaemon(folder string, builder bool) (*daemon, error) {
	root, err := harness.Root()
	if err != nil {
		return nil, err
	}
	run, err := os.MkdirTemp("/tmp", "belfry-engine-")
	if err != nil {
		return nil, fmt.Errorf("make the engine's folder: %w", err)
	}
	d := &daemon{root: root, folder: folder, run: run}
	if err := os.WriteFile(filepath.Join(run, "daemon.json"), []byte("{}"), 0o600); err != nil {
		return nil, fmt.Errorf("write the engine's configuration: %w", err)
	}
	arguments := []string{
		"dockerd", "--host", d.address(), "--data-root", filepath.Join(folder, "data"), "--exec-root", filepath.Join(run, "exec"),
		"--pidfile", filepath.Join(run, "pid"), "--config-file", filepath.Join(run, "daemon.json"), "--storage-driver", "overlay2",
	}
	if builder {
		arguments = append([]string{"nsenter", "--net=/proc/self/fd/" + strconv.Itoa(hostNetwork)}, arguments...)
		arguments = append(arguments, "--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false")
	}
	cmd := exec.Command("env", arguments...) // looks it up in the engine's own PATH
	cmd.Env = d.environment()
	cmd.ExtraFiles = []*os.File{os.NewFile(hostNetwork, "the network outside")}
	if d.Process, err = harness.Launch("dockerd", filepath.Join(run, "dockerd.log"), cmd); err != nil {
		return nil, err
	}
	return d, d.await()
}

func (d *daemon) address() string { return "unix://" + filepath.Join(d.run, "docker.sock") }

// environment is that of the engine and of its command lines.
func (d *daemon) environment() []string {
	programs := filepath.Join(d.folder, "programs")
	return append(os.Environ(),
		"PATH="+filepath.Join(programs, "usr", "sbin")+":"+filepath.Join(programs, "usr", "bin")+":"+os.Getenv("PATH")+":/usr/sbin:/sbin",
		"DOCKER_HOST="+d.address(), "DOCKER_CONFIG="+filepath.Join(d.run, "config"), "DOCKER_BUILDKIT=1", "BUILDKIT_PROGRESS=plain",
		"COMPOSE_PROJECT_NAME=belfry", "COMPOSE_ANSI=never", "COMPOSE_PROGRESS=plain")
}

// await waits until the engine answers.
func (d *daemon) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var version string
	err := d.Await(ctx, "it to answer", func() (err error) {
		version, err = d.docker("version", "--format", "{{.Server.Version}}")
		return err
	})
	if err != nil {
		return errors.Join(fmt.Errorf("%w; the end of its log:\n%s", err, d.Tail(tail)), d.stop())
	}
	fmt.Printf("== dockerd %s runs, pid %d\n", strings.TrimSpace(version), d.Pid())
	return nil
}

// tail is how many lines of the engine's log an error shows.
const tail = 40

// stop ends dockerd, which ends its containers, and removes its folder.
func (d *daemon) stop() error {
	if _, err := d.Terminate(40 * time.Second); err != nil {
		return fmt.Errorf("%w; the end of its log:\n%s", err, d.Tail(tail))
	}
	if err := os.RemoveAll(d.run); err != nil {
		return fmt.Errorf("remove the engine's folder: %w", err)
	}
	return nil
}

// docker runs Docker's command line and returns its standard output.
func (d *daemon) docker(arguments ...string) (string, error) {
	return d.command(nil, "docker", arguments...)
}

// compose runs compose in the repository.
func (d *daemon) compose(arguments ...string) (string, error) {
	return d.command(nil, filepath.Join(d.folder, "docker-compose"), arguments...)
}

// longest bounds a command: the first build of the images downloads and compiles
// everything, which takes over ten minutes on a busy machine.
const longest = 40 * time.Minute

// command runs a program against the engine.
func (d *daemon) command(input []byte, program string, arguments ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	cmd := exec.CommandContext(ctx, "env", append([]string{program}, arguments...)...)
	cmd.Env, cmd.Dir, cmd.Stdin = d.environment(), d.root, bytes.NewReader(input)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		text := errs.String()
		return out.String(), fmt.Errorf("%s %s: %w\n%s", filepath.Base(program), strings.Join(arguments, " "), err, text[max(0, len(text)-4000):])
	}
	return out.String(), nil
}
