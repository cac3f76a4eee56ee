package manual

import (
	"os"
	"path/filepath"
	"testing"
)

const root = "../../../.."

func TestWrittenFilesAreCurrent(t *testing.T) {
	files, err := Files()
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 2 {
		t.Fatalf("%d files, want at least the settings' table and their list", len(files))
	}
	for _, f := range files {
		got, err := os.ReadFile(filepath.Join(root, f.Path))
		if err != nil {
			t.Error(err)
		} else if string(got) != f.Text {
			t.Errorf("%s is not current: run make docs", f.Path)
		}
	}
}

func TestWriteMakesTheFiles(t *testing.T) {
	below := t.TempDir()
	files, err := Files()
	if err != nil {
		t.Fatal(err)
	}
	if err := Write(below); err == nil {
		t.Error("a root without the folders was accepted")
	}
	for _, f := range files {
		if err := os.MkdirAll(filepath.Join(below, filepath.Dir(f.Path)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := Write(below); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if got, err := os.ReadFile(filepath.Join(below, f.Path)); err != nil || string(got) != f.Text {
			t.Errorf("%s: %v, %d bytes", f.Path, err, len(got))
		}
	}
}
