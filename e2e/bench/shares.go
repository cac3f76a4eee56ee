package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// shares is the CPU time that each part has used. Unlike a rate it hardly
// depends on what else the machine does.
type shares struct{ broker, worker, gateway, clients time.Duration }

// shares reads them; clients are this process, publishers and sockets.
func (s *system) shares() shares {
	return shares{
		broker: cpuOfGroup(s.node.PID()), worker: cpuOf(s.worker.Pid()), gateway: cpuOf(s.gateway.Pid()),
		clients: cpuOf(os.Getpid()),
	}
}

// since is what each of n things cost since before.
func (c shares) since(before shares, n int) shares {
	each := time.Duration(max(n, 1))
	return shares{
		broker: (c.broker - before.broker) / each, worker: (c.worker - before.worker) / each,
		gateway: (c.gateway - before.gateway) / each, clients: (c.clients - before.clients) / each,
	}
}

func (c shares) String() string {
	var parts []string
	for _, part := range []struct {
		name string
		cpu  time.Duration
	}{{"broker", c.broker}, {"worker", c.worker}, {"gateway", c.gateway}, {"clients", c.clients}} {
		if us := part.cpu.Microseconds(); us > 0 {
			parts = append(parts, fmt.Sprintf("%s %d us", part.name, us))
		}
	}
	return strings.Join(parts, ", ")
}

// over is the ratio of the sums.
func (c shares) over(other shares) string {
	sum := func(c shares) float64 { return float64(c.broker + c.worker + c.gateway + c.clients) }
	return fmt.Sprintf("%.2f", sum(c)/max(sum(other), 1))
}

// clockTicks is USER_HZ, 100 on every Linux that Go runs on.
const clockTicks = 100

// cpuOf is the user and system time of a process; 0 when it is gone.
func cpuOf(pid int) time.Duration {
	fields := statOf(strconv.Itoa(pid))
	if fields == nil {
		return 0
	}
	return ticks(fields)
}

// cpuOfGroup is that of all processes of a process group.
func cpuOfGroup(group int) time.Duration {
	var sum time.Duration
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		if fields := statOf(filepath.Base(filepath.Dir(path))); fields != nil && fields[2] == strconv.Itoa(group) {
			sum += ticks(fields)
		}
	}
	return sum
}

// statOf are the fields of /proc/PID/stat from the third one on: the second is
// the name in parentheses and may hold blanks.
func statOf(pid string) []string {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return nil
	}
	return strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
}

func ticks(fields []string) time.Duration {
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * time.Second / clockTicks
}

// residentOf is the resident set of a process, in bytes; 0 when it is gone.
func residentOf(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10
		}
	}
	return 0
}
