package brokertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// RootVariable names the environment variable that says which RabbitMQ the
// nodes run: the root folder of a system that has one installed, as
// scripts/broker-root.sh makes it. Empty or "/": this system's own.
//
// Nodes of another root folder see this system's /proc, /dev, /sys and network
// and the node's own folder at its own path, all in a mount namespace of their
// own, so no mount outlives them. Only root may start them.
const RootVariable = "BELFRY_TEST_RABBITMQ"

// root is the root folder that RootVariable names; "/" when it names none.
func root() (string, error) {
	folder := os.Getenv(RootVariable)
	if folder == "" {
		return "/", nil
	}
	folder, err := filepath.Abs(folder)
	if err != nil {
		return "", fmt.Errorf("find the root folder that %s names: %w", RootVariable, err)
	}
	if folder != "/" && os.Getuid() != 0 {
		return "", fmt.Errorf("only root can start a RabbitMQ of another root folder: unset %s, or run the tests as root", RootVariable)
	}
	return folder, nil
}

// programFolders are where packages keep the scripts that do not change user.
var programFolders = []string{
	"/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin", "/usr/lib/rabbitmq/bin", "/opt/rabbitmq/sbin", "/usr/local/sbin",
}

// ErrMissing says that RabbitMQ is not installed, and how to install it.
var ErrMissing = errors.New("RabbitMQ is not installed: apt-get install rabbitmq-server (make test does it)")

// Installed returns the folder of RabbitMQ's scripts, or ErrMissing. Its path is
// one of the root folder that RootVariable names.
func Installed() (string, error) {
	at, err := root()
	if err != nil {
		return "", err
	}
	for _, pattern := range programFolders {
		found, _ := filepath.Glob(filepath.Join(at, pattern, "rabbitmq-server"))
		if len(found) > 0 {
			folder, err := filepath.Rel(at, filepath.Dir(found[len(found)-1]))
			return "/" + folder, err
		}
	}
	if at != "/" {
		return "", fmt.Errorf("%s names %s, which has no RabbitMQ: scripts/broker-root.sh makes such a folder", RootVariable, at)
	}
	return "", ErrMissing
}

// enter mounts what a node needs into the root folder $1, among it the node's
// folder $2, and runs the rest there. The mounts are in the mount namespace of
// this process alone.
const enter = `set -e
root=$1 folder=$2
shift 2
for shared in /proc /dev /sys; do mount --rbind "$shared" "$root$shared"; done
mount -t tmpfs tmpfs "$root/tmp"
mkdir -p "$root$folder"
mount --bind "$folder" "$root$folder"
exec chroot "$root" /bin/sh -c 'cd "$0" && exec "$@"' "$folder" "$@"
`

// command is a program of the node's root folder, ready to be started in the
// node's folder with the node's environment.
func (n *Node) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if n.root != "/" {
		cmd = exec.CommandContext(ctx, "/bin/sh", append([]string{"-c", enter, "enter", n.root, n.dir, program}, args...)...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	}
	cmd.Env, cmd.Dir = n.environment(), n.dir
	return cmd
}
