package containers

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// WhyNot tells why no container engine can run here; empty: one can.
func WhyNot() string {
	if os.Getuid() != 0 {
		return "the tests do not run as root"
	}
	systems, err := os.ReadFile("/proc/filesystems")
	if err != nil || !strings.Contains(string(systems), "\toverlay\n") {
		return "the kernel has no overlayfs (modprobe overlay?)"
	}
	for _, program := range []string{"apt-get", "unshare", "nsenter"} {
		if _, err := exec.LookPath(program); err != nil {
			return "there is no " + program
		}
	}
	probe := exec.Command("unshare", "--mount", "--pid", "--fork", "--net", "true")
	if out, err := probe.CombinedOutput(); err != nil {
		return fmt.Sprintf("no namespaces can be made: %v: %s", err, strings.TrimSpace(string(out)))
	}
	return ""
}
