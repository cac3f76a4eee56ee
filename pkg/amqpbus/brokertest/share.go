package brokertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// SharedVariable names the environment variable with the folder of a running
// node that test binaries share. `make test` starts one and sets it; without it
// each test binary that needs a node starts one.
const SharedVariable = "BELFRY_TEST_BROKER"

// description is what a test binary must know of a node of another process.
const description = "node.json"

// described are the fields of a Node that description holds.
type described struct {
	Name, Root, Programs, Cookie         string
	Port, ManagePort, DistPort, EpmdPort int
}

// Describe writes a description of the node into its folder, for the tests that
// find the folder in SharedVariable.
func (n *Node) Describe() error {
	text, err := json.Marshal(described{n.name, n.root, n.programs, n.cookie, n.port, n.managePort, n.distPort, n.epmdPort})
	if err != nil {
		return fmt.Errorf("describe the node: %w", err)
	}
	if err := os.WriteFile(filepath.Join(n.dir, description), text, 0o600); err != nil {
		return fmt.Errorf("describe the node: %w", err)
	}
	return nil
}

// attach returns a node that another process started. Its methods that start,
// end or pause the process may not be called.
func attach(dir string) (*Node, error) {
	text, err := os.ReadFile(filepath.Join(dir, description))
	if err != nil {
		return nil, fmt.Errorf("find the shared node (unset %s to let the tests start their own): %w", SharedVariable, err)
	}
	var d described
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("read the shared node's description: %w", err)
	}
	if at, err := root(); err != nil || at != d.Root {
		return nil, errors.Join(err, fmt.Errorf("the shared node runs the RabbitMQ of %s and %s asks for that of %s: unset one of the two", d.Root, RootVariable, at))
	}
	return &Node{
		dir: dir, name: d.Name, root: d.Root, programs: d.Programs, cookie: d.Cookie,
		port: d.Port, managePort: d.ManagePort, distPort: d.DistPort, epmdPort: d.EpmdPort,
	}, nil
}

// shared is the node that the tests of this binary share.
var shared struct {
	sync.Once
	node *Node
	err  error
	own  bool // started by this binary
}

// sharedNode returns it, and starts it when nobody else has.
func sharedNode() (*Node, error) {
	shared.Do(func() {
		if dir := os.Getenv(SharedVariable); dir != "" {
			shared.node, shared.err = attach(dir)
			return
		}
		dir, err := os.MkdirTemp("", "belfry-broker-")
		if err != nil {
			shared.err = fmt.Errorf("make the shared node's folder: %w", err)
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), startWithin)
		defer cancel()
		shared.own = true
		if shared.node, shared.err = StartNode(ctx, dir); shared.err != nil {
			shared.err = errors.Join(shared.err, os.RemoveAll(dir))
		}
	})
	return shared.node, shared.err
}

// startWithin bounds a node's start, which takes four seconds on a machine that
// has nothing else to do.
const startWithin = 4 * time.Minute

// Runner is testing.M, or what runs one.
type Runner interface{ Run() int }

// Sharing runs a test binary's tests and then ends the nodes that they started.
type Sharing struct{ Tests Runner }

// Run runs the tests.
func (s Sharing) Run() int {
	code := s.Tests.Run()
	if shared.own && shared.node != nil {
		_ = shared.node.remove()
	}
	own.Lock()
	defer own.Unlock()
	for _, n := range own.free {
		_ = n.remove()
	}
	own.free = nil
	return code
}
