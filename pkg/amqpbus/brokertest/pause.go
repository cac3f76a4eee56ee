package brokertest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Pause stops the node's processes without ending them; Resume lets them go on.
// It returns when they have stopped: on a busy machine the broker may answer a
// whole handshake after the signal was sent.
func (n *Node) Pause() {
	group := n.cmd.Process.Pid
	_ = syscall.Kill(-group, syscall.SIGSTOP)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !stopped(group) {
		select {
		case <-tick.C:
		case <-n.exited:
			return
		}
	}
}

// Resume undoes Pause.
func (n *Node) Resume() { _ = syscall.Kill(-n.cmd.Process.Pid, syscall.SIGCONT) }

// stopped reports that no thread of a process group runs.
func stopped(group int) bool {
	processes, _ := filepath.Glob("/proc/[0-9]*")
	for _, process := range processes {
		if _, of := stateOf(process); of != group {
			continue
		}
		threads, _ := filepath.Glob(process + "/task/*")
		for _, thread := range threads {
			switch state, _ := stateOf(thread); state {
			case "T", "Z", "": // stopped, or ended
			default:
				return false
			}
		}
	}
	return true
}

// stateOf reads a process's or a thread's state and process group (proc(5)).
func stateOf(folder string) (state string, group int) {
	text, err := os.ReadFile(filepath.Join(folder, "stat"))
	if err != nil {
		return "", 0 // it has ended
	}
	// They follow the name, which is in parentheses and may hold anything.
	_, _ = fmt.Sscanf(string(text[strings.LastIndexByte(string(text), ')')+1:]), "%s %d %d", &state, new(int), &group)
	return state, group
}
