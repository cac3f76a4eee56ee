package python

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"belfry/e2e/harness"
)

// TestPythonServers runs the emitter under each web server and pool that Debian
// has. It is part of `make verify`, which installs them.
func TestPythonServers(t *testing.T) {
	needs(t)
	if os.Getenv("BELFRY_TEST_FULL") == "" {
		t.Skip("web servers and pools are tested with BELFRY_TEST_FULL=1, as make verify does")
	}
	names, err := exec.CommandContext(t.Context(), "/usr/bin/python3", filepath.Join(folder(t), "tests", "servers", "rows.py")).Output()
	rows := strings.Fields(string(names))
	if err != nil || len(rows) == 0 {
		t.Fatal("no servers", err)
	}
	for _, library := range libraries {
		for _, row := range rows {
			t.Run(library+"/"+row, func(t *testing.T) {
				t.Parallel()
				env := forLibrary(library, harness.OnSharedNode(t), "")
				tests := []string{"-m", "unittest", "discover", "-v", "-s", "tests/servers"}
				if pool, celery := strings.CutPrefix(row, "celery-"); celery {
					env = append(env, "BELFRY_TEST_POOL="+pool)
					tests = []string{"-m", "unittest", "discover", "-v", "-s", "tests/broker", "-p", "test_celery.py"}
				}
				python(t, nil, append(env, "BELFRY_TEST_ROW="+row), tests...)
			})
		}
	}
}
