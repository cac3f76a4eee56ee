package manual

import (
	"fmt"
	"os"
	"path/filepath"
)

// File is a written file: its path below the project's root, and its text.
type File struct{ Path, Text string }

// Files are all written files, as they must be now.
func Files() ([]File, error) {
	configuration, err := Configuration()
	if err != nil {
		return nil, fmt.Errorf("docs/configuration.md: %w", err)
	}
	known, err := Known()
	if err != nil {
		return nil, fmt.Errorf("pkg/settings/known.go: %w", err)
	}
	return []File{{"docs/configuration.md", configuration}, {"pkg/settings/known.go", known}}, nil
}

// Write writes all files below root.
func Write(root string) error {
	files, err := Files()
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(root, f.Path), []byte(f.Text), 0o644); err != nil { //nolint:gosec // documents and sources
			return fmt.Errorf("write %s: %w", f.Path, err)
		}
	}
	return nil
}
