package brokertest

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// leash ends a process group when this process ends, however that happens: the
// kernel ends only the process that was started here (prctl(2), PR_SET_PDEATHSIG),
// and RabbitMQ's script is not what runs the broker. release ends what is left of
// the group; it is called once, when the group's first process has ended.
func leash(group int) (release func(), err error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	defer func() { _ = read.Close() }()
	// A member of the group, which reads until nobody holds the other end any more.
	watch := exec.Command("/bin/sh", "-c", "read -r _; kill -KILL 0")
	watch.Stdin = read
	watch.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: group}
	if err := watch.Start(); err != nil {
		_ = write.Close()
		return nil, fmt.Errorf("start what watches over the processes: %w", err)
	}
	return func() {
		_ = write.Close()
		_ = watch.Wait()
	}, nil
}
