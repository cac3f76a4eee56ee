package brokertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

// own are this binary's nodes that no test has at the moment.
var own struct {
	sync.Mutex
	free []*Node
}

// Start gives a test a node for itself, which it may stop, kill, pause or alarm.
// A node that survives the test is made as it was at first, in the virtual host /
// as well, and given to a later test of this binary; TestMain must run the tests
// by Sharing. Without RabbitMQ the test fails: a skipped broker half would look
// like a pass. Only -short skips, and says so.
func Start(t testing.TB) *Node {
	t.Helper()
	short(t)
	n, err := takeOwn()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.giveBack(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func takeOwn() (*Node, error) {
	own.Lock()
	if last := len(own.free) - 1; last >= 0 {
		n := own.free[last]
		own.free = own.free[:last]
		own.Unlock()
		return n, nil
	}
	own.Unlock()
	dir, err := os.MkdirTemp("", "belfry-broker-")
	if err != nil {
		return nil, fmt.Errorf("make the node's folder: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	n, err := StartNode(ctx, dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return n, nil
}

// giveBack undoes what a test did to the node. One that is not healthy any more
// is not worth it.
func (n *Node) giveBack() error {
	select {
	case <-n.exited:
		return n.remove()
	default:
	}
	n.Resume()
	if err := n.restore(); err != nil {
		return errors.Join(err, n.remove())
	}
	own.Lock()
	defer own.Unlock()
	own.free = append(own.free, n)
	return nil
}

func (n *Node) restore() error {
	if n.limited.Load() {
		_, err := n.Ctl("eval", "vm_memory_monitor:set_vm_memory_high_watermark(0.4), rabbit_disk_monitor:set_disk_free_limit(50000000).")
		if err != nil {
			return err
		}
		n.limited.Store(false)
	}
	vhosts, err := n.VHosts()
	if err != nil {
		return err
	}
	for _, vhost := range vhosts {
		if err := n.DeleteVHost(vhost); err != nil {
			return err
		}
	}
	return n.AddVHost("/")
}

// remove ends the node, if it has not ended, and removes its folder.
func (n *Node) remove() error {
	n.Stop()
	return os.RemoveAll(n.dir)
}

// limiting reports whether a command of rabbitmqctl changes what Start's next
// node must have.
func limiting(command string) bool {
	return strings.HasPrefix(command, "set_vm_memory") || strings.HasPrefix(command, "set_disk_free")
}

// Share gives a test a virtual host of its own on the node that all tests share,
// and removes it with the test. TestMain must run the tests by Sharing.
func Share(t testing.TB) *VHost {
	t.Helper()
	short(t)
	n, err := sharedNode()
	if err != nil {
		t.Fatal(err)
	}
	v, err := n.NewVHost()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.DeleteVHost(v.Name); err != nil {
			t.Error(err)
		}
	})
	return v
}

func short(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: no broker is started; make test runs this against a real RabbitMQ")
	}
}
