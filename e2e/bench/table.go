package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// row is one line of the report.
type row struct {
	what, belfry, baseline, ratio, note string
	quoted                              *quote // nil: not in the README
}

func writeTable(w io.Writer, rows []row) error {
	if _, err := fmt.Fprintf(w, "%s\n\n| what | Belfry | baseline, same run | ratio | besides |\n|---|---|---|---|---|\n", machine()); err != nil {
		return err
	}
	for _, r := range rows {
		if _, err := fmt.Fprintf(w, "| %s | %s | %s | %s | %s |\n", r.what, r.belfry, r.baseline, r.ratio, r.note); err != nil {
			return err
		}
	}
	return nil
}

// machine says what the figures were taken on.
func machine() string {
	model := "unknown processor"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	broker := "RabbitMQ of unknown version"
	if out, err := exec.Command("dpkg-query", "-W", "-f", "${Version}", "rabbitmq-server").Output(); err == nil {
		broker = "RabbitMQ " + string(out)
	}
	return fmt.Sprintf("%d x %s; %s; %s; everything on this machine; emits transient, classic queues.",
		runtime.NumCPU(), model, runtime.Version(), broker)
}
