package shipped

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../../../.."

// copied is a folder with the shipped files, to be changed.
func copied(t *testing.T) string {
	t.Helper()
	below := t.TempDir()
	for _, s := range slots() {
		text, err := os.ReadFile(filepath.Join(root, s.file))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(below, s.file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return below
}

// TestShippedFilesAreCurrent: every value is what follows from the programs.
func TestShippedFilesAreCurrent(t *testing.T) {
	files, err := Files(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(slots()) < 100 || len(files) < 20 {
		t.Fatalf("only %d slots in %d files", len(slots()), len(files))
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Error(err)
		} else if string(got) != want {
			t.Errorf("%s is not current: run make docs", name)
		}
	}
}

// TestEverySlotIsWritten: whatever its value was, Write makes it right.
func TestEverySlotIsWritten(t *testing.T) {
	below := copied(t)
	for _, s := range slots() {
		path := filepath.Join(below, s.file)
		was, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		other := s
		other.value = strings.Map(func(r rune) rune {
			switch {
			case r >= '0' && r <= '8':
				return r + 1
			case r >= 'a' && r <= 'y' || r >= 'A' && r <= 'Y':
				return r + 1
			}
			return r
		}, s.value)
		changed, err := other.fill(string(was))
		if err != nil {
			t.Error(err)
			continue
		}
		if changed == string(was) {
			t.Errorf("%s: %s changes nothing", s.file, s.pattern)
		}
		again, err := s.fill(changed)
		if err != nil || again != string(was) {
			t.Errorf("%s: another value in place of %q is not put right (%v): %s", s.file, s.value, err, s.pattern)
		}
	}
}

// TestMissingSlotIsAnError, and nothing is written then.
func TestMissingSlotIsAnError(t *testing.T) {
	below := copied(t)
	path := filepath.Join(below, ".env")
	text := "BELFRY_TRUSTED_PROXIES=10.0.0.1\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	err := Write(below)
	if err == nil || !strings.Contains(err.Error(), ".env has 0 places") {
		t.Errorf("without BELFRY_AMQP_URL: %v", err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != text {
		t.Errorf("it was written all the same: %q, %v", got, err)
	}
}
