package environment

import (
	"os"
	"testing"
)

func TestADoorIsFoundByItsUserAlone(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	if got := FindDoor(); got != "" {
		t.Fatalf("found %q", got)
	}
	forget, err := LeaveDoor("embedded://:s@127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	if got := FindDoor(); got != "embedded://:s@127.0.0.1:1" {
		t.Fatalf("found %q", got)
	}
	if err := os.Chmod(doorFile(), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := FindDoor(); got != "" {
		t.Errorf("others can read it, and %q is found", got)
	}
	second, err := LeaveDoor("embedded://:s@127.0.0.1:2")
	if err != nil {
		t.Fatal(err)
	}
	if err := forget(); err != nil || FindDoor() == "" {
		t.Errorf("the first took away what the second left: %v", err)
	}
	if err := second(); err != nil || FindDoor() != "" {
		t.Errorf("it is still there: %v", err)
	}
	if err := os.Symlink("/etc/hostname", doorFile()); err != nil {
		t.Fatal(err)
	}
	if got := FindDoor(); got != "" {
		t.Errorf("a link is followed: %q", got)
	}
}
