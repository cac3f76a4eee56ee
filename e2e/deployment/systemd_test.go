package deployment

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// units are what systemd is asked about; a template needs a number.
var units = []string{"belfry-gateway@1.service", "belfry-worker@2.service", "belfry-api.service", "belfry-supervisord.service"}

// mostExposed is the worst that `systemd-analyze security` may say of a unit, in
// tenths; it says 17 of each.
const mostExposed = 20

// TestUnits lets systemd read the units as they are installed, programs included,
// and judge their hardening. Nothing is started.
func TestUnits(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	dest := installed(t, "EXAMPLE=yes")
	system := filepath.Join(dest, "usr", "lib", "systemd", "system")
	// What every unit hangs on is the system's.
	for _, pattern := range []string{"*.target", "*.slice"} {
		files, err := filepath.Glob(filepath.Join("/lib/systemd/system", pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("the system has no %s: %v", pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if os.IsNotExist(err) {
				continue // a link to nowhere
			}
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(system, filepath.Base(file)), string(text))
		}
	}
	if err := os.WriteFile(filepath.Join(dest, "usr", "bin", "supervisord"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	verify := func(unit string) string {
		out, err := exec.Command("systemd-analyze", "verify", "--root="+dest, "--man=no", unit).CombinedOutput()
		if err != nil && len(out) == 0 {
			return err.Error()
		}
		return string(out) // a key that it does not know is no error to it
	}
	for _, unit := range units {
		if said := verify(unit); said != "" {
			t.Errorf("%s:\n%s", unit, said)
		}
		out, err := exec.Command("systemd-analyze", "security", "--root="+dest, "--offline=true", "--no-pager", "--threshold="+strconv.Itoa(mostExposed), unit).CombinedOutput()
		if err != nil {
			t.Errorf("%s is too exposed: %v\n%s", unit, err, out)
		}
	}
	// It can fail: a unit without its program, and one with a wrong key.
	if err := os.Remove(filepath.Join(dest, "usr", "bin", "belfry-gateway")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(system, "belfry-api.service"), "[Service]\nExecStart=/usr/bin/supervisord\nRestrat=always\n")
	for _, unit := range []string{"belfry-gateway@1.service", "belfry-api.service"} {
		if verify(unit) == "" {
			t.Errorf("nothing is found in a %s that is wrong", unit)
		}
	}
}
