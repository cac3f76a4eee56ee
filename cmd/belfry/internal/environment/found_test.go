package environment

import (
	"os"
	"testing"
)

func TestAddressIsFoundOnlyByItsUser(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	if got := FindAddress(); got != "" {
		t.Fatalf("found %q", got)
	}
	forget, err := LeaveAddress("embedded://:s@127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	if got := FindAddress(); got != "embedded://:s@127.0.0.1:1" {
		t.Fatalf("found %q", got)
	}
	if err := os.Chmod(addressFile(), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := FindAddress(); got != "" {
		t.Errorf("others can read it, and %q is found", got)
	}
	second, err := LeaveAddress("embedded://:s@127.0.0.1:2")
	if err != nil {
		t.Fatal(err)
	}
	if err := forget(); err != nil || FindAddress() == "" {
		t.Errorf("the first took away what the second left: %v", err)
	}
	if err := second(); err != nil || FindAddress() != "" {
		t.Errorf("it is still there: %v", err)
	}
	if err := os.Symlink("/etc/hostname", addressFile()); err != nil {
		t.Fatal(err)
	}
	if got := FindAddress(); got != "" {
		t.Errorf("a link is followed: %q", got)
	}
}
