// Package brokertest starts private, throw-away RabbitMQ nodes for tests and
// benchmarks: own name, own ports, own data folder, loopback only. The system's
// node, if there is one, is neither used nor disturbed.
//
// A Node's methods may be called concurrently, except those that start and end
// its process (Stop, Kill9, StartAgain), which belong to one goroutine. The
// process that is ended is always the one that was started here, by its pid.
package brokertest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"belfry/pkg/protocol"
)

// Node is one private RabbitMQ node.
type Node struct {
	dir        string
	name       string
	port       int
	distPort   int
	epmdPort   int
	managePort int    // of the management API
	root       string // the root folder of the system that has RabbitMQ
	programs   string // the folder of rabbitmq-server and rabbitmqctl in it
	cmd        *exec.Cmd
	exited     chan struct{}
	cookie     string      // nodes with the same one may form a cluster
	limited    atomic.Bool // a memory or disk limit was set
	passwords  sync.Map    // user -> password, of those that AddUser of the node made
	mate       bool        // its port mapper is the cluster's
	more       string      // lines of rabbitmq.conf beside the usual ones
}

// StartNode starts a node whose data, logs and configuration live in dir, which
// is created, and waits until it accepts connections (about five seconds) or
// ctx ends. The user guest has every permission.
func StartNode(ctx context.Context, dir string) (*Node, error) {
	n, err := newNode(dir)
	if err != nil {
		return nil, err
	}
	if err := n.write(); err != nil {
		return nil, err
	}
	return n, n.StartAgain(ctx)
}

func newNode(dir string) (*Node, error) {
	programs, err := Installed()
	if err != nil {
		return nil, err
	}
	at, err := root()
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, fmt.Errorf("find the node's folder: %w", err)
	}
	n := &Node{
		dir: dir, root: at, programs: programs, name: "belfry-" + protocol.NewIncarnation() + "@localhost",
		cookie: "belfry" + protocol.NewIncarnation(),
	}
	for _, port := range []*int{&n.port, &n.distPort, &n.epmdPort, &n.managePort} {
		if *port, err = FreePort(); err != nil {
			return nil, err
		}
	}
	return n, nil
}

func (n *Node) write() error {
	if err := os.MkdirAll(filepath.Join(n.dir, "home"), 0o700); err != nil {
		return fmt.Errorf("make the node's folder: %w", err)
	}
	conf := fmt.Sprintf(`listeners.tcp.1 = 127.0.0.1:%d
disk_free_limit.absolute = 50MB
loopback_users.guest = true
log.console = false
collect_statistics_interval = 60000
%s%s`, n.port, fmt.Sprintf(managementConf, n.managePort), n.more)
	for name, file := range map[string]struct {
		text string
		mode os.FileMode
	}{
		"rabbitmq.conf":       {conf, 0o600},
		"enabled_plugins":     {"[rabbitmq_management].\n", 0o600},
		"rabbitmq-env.conf":   {"", 0o600},
		"home/.erlang.cookie": {n.cookie, 0o400},
	} {
		if err := os.WriteFile(filepath.Join(n.dir, name), []byte(file.text), file.mode); err != nil {
			return fmt.Errorf("write the node's %s: %w", name, err)
		}
	}
	return nil
}

func (n *Node) environment() []string {
	at := func(name string) string { return filepath.Join(n.dir, name) }
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + at("home"), "LANG=C.UTF-8",
		"RABBITMQ_NODENAME=" + n.name,
		"RABBITMQ_NODE_PORT=" + strconv.Itoa(n.port), "RABBITMQ_NODE_IP_ADDRESS=127.0.0.1",
		"RABBITMQ_DIST_PORT=" + strconv.Itoa(n.distPort),
		"RABBITMQ_MNESIA_BASE=" + at("mnesia"), "RABBITMQ_MNESIA_DIR=" + at("mnesia/node"),
		"RABBITMQ_LOG_BASE=" + at("log"), "RABBITMQ_CONFIG_FILE=" + at("rabbitmq.conf"),
		"RABBITMQ_ENABLED_PLUGINS_FILE=" + at("enabled_plugins"), "RABBITMQ_CONF_ENV_FILE=" + at("rabbitmq-env.conf"),
		"RABBITMQ_PID_FILE=" + at("pid"), "RABBITMQ_GENERATED_CONFIG_DIR=" + at("generated"),
		"ERL_EPMD_ADDRESS=127.0.0.1", "ERL_EPMD_PORT=" + strconv.Itoa(n.epmdPort),
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}",
	}
}

// StartAgain starts the node after Stop or Kill9, on the same port and with the
// same data.
func (n *Node) StartAgain(ctx context.Context) error {
	raiseDescriptors()
	if err := os.MkdirAll(filepath.Join(n.dir, "log"), 0o700); err != nil {
		return fmt.Errorf("make the node's log folder: %w", err)
	}
	out, err := os.OpenFile(filepath.Join(n.dir, "console.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the node's console log: %w", err)
	}
	cmd := n.command(context.Background(), filepath.Join(n.programs, "rabbitmq-server"))
	cmd.Stdout, cmd.Stderr = out, out
	// A group of its own, so that the node's helpers end with it, and an
	// interrupt of the tests does not reach it first.
	cmd.SysProcAttr.Setpgid, cmd.SysProcAttr.Pdeathsig = true, syscall.SIGKILL
	if err := cmd.Start(); err != nil {
		return errors.Join(fmt.Errorf("start RabbitMQ: %w", err), out.Close())
	}
	release, err := leash(cmd.Process.Pid)
	if err != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		return errors.Join(err, cmd.Wait(), out.Close())
	}
	exited := make(chan struct{})
	n.cmd, n.exited = cmd, exited
	go func() {
		_ = cmd.Wait()
		release()
		_ = out.Close()
		close(exited)
	}()
	return n.await(ctx)
}

// await waits until the port answers as AMQP and the management API as this node.
func (n *Node) await(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if n.Answers(2*time.Second) && n.manages(5*time.Second) {
			return nil
		}
		select {
		case <-tick.C:
		case <-n.exited:
			return fmt.Errorf("RabbitMQ ended at its start; the end of its log:\n%s", n.logTail())
		case <-ctx.Done():
			n.Kill9()
			return fmt.Errorf("RabbitMQ did not start in time: %w; the end of its log:\n%s", ctx.Err(), n.logTail())
		}
	}
}

// Answers opens a connection as far as Connection.Start (AMQP 0-9-1 2.2.4).
func (n *Node) Answers(within time.Duration) bool {
	c, err := net.DialTimeout("tcp", n.Address(), within)
	if err != nil {
		return false
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(within))
	if _, err := c.Write([]byte("AMQP\x00\x00\x09\x01")); err != nil {
		return false
	}
	var first [1]byte
	_, err = c.Read(first[:])
	return err == nil && first[0] == 1
}

func (n *Node) logTail() string {
	var out strings.Builder
	for _, pattern := range []string{"console.log", "log/*.log"} {
		files, _ := filepath.Glob(filepath.Join(n.dir, pattern))
		for _, f := range files {
			text, _ := os.ReadFile(f)
			out.Write(text[max(0, len(text)-2000):])
		}
	}
	return out.String()
}

// Address is host:port of the AMQP listener.
func (n *Node) Address() string { return "127.0.0.1:" + strconv.Itoa(n.port) }

// URL is the address of the virtual host / for a user.
func (n *Node) URL(user string) string { return n.url(user, "/") }

// url is an address for guest, or for a user that AddUser made.
func (n *Node) url(user, vhost string) string {
	password := Password
	if user == "guest" {
		password = "guest"
	} else if own, set := n.passwords.Load(user); set {
		password, _ = own.(string)
	}
	return (&url.URL{Scheme: "amqp", User: url.UserPassword(user, password), Host: n.Address(), Path: "/" + strings.TrimPrefix(vhost, "/")}).String()
}

// PID is the process id of the node's script, whose child the Erlang machine is,
// and of the group that both are in.
func (n *Node) PID() int { return n.cmd.Process.Pid }

// Stop ends the node in order, and the port mapper that its start left behind;
// its data stays.
func (n *Node) Stop() {
	n.end(syscall.SIGTERM)
	if !n.mate {
		n.endPortMapper()
	}
}

// Kill9 ends the node's processes at once; its data stays as it was.
func (n *Node) Kill9() { n.end(syscall.SIGKILL) }

func (n *Node) end(sig syscall.Signal) {
	select {
	case <-n.exited:
		return
	default:
	}
	_ = syscall.Kill(-n.cmd.Process.Pid, sig)
	t := time.NewTimer(15 * time.Second)
	defer t.Stop()
	select {
	case <-n.exited:
	case <-t.C:
		_ = syscall.Kill(-n.cmd.Process.Pid, syscall.SIGKILL)
		<-n.exited
	}
}

// Ctl runs rabbitmqctl against the node and returns what it printed. It boots an
// Erlang machine, which takes seconds: only for what the management API lacks.
func (n *Node) Ctl(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if limiting(args[0]) {
		n.limited.Store(true)
	}
	cmd := n.command(ctx, filepath.Join(n.programs, "rabbitmqctl"), append([]string{"-q", "-n", n.name}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("rabbitmqctl %s: %w: %s", args[0], err, out)
	}
	return string(out), nil
}

// raiseDescriptors lets the node have as many descriptors as this process may:
// Debian's default of 1,024 is too few for its own processes under load.
func raiseDescriptors() {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil && limit.Cur < limit.Max {
		limit.Cur = limit.Max
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	}
}
