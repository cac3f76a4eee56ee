package shipped

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// slot is a place in a file that holds a value.
type slot struct {
	file    string // below the project's root
	pattern string // its one group is the place; (?m) is set
	value   string
	times   int // how often it is there; 0: once
}

// fill writes the value into every place of a text that the slot describes.
func (s slot) fill(text string) (string, error) {
	places := regexp.MustCompile("(?m)"+s.pattern).FindAllStringSubmatchIndex(text, -1)
	if want := max(s.times, 1); len(places) != want {
		return "", fmt.Errorf("%s has %d places for %q, not %d: look for %s", s.file, len(places), s.value, want, s.pattern)
	}
	var out strings.Builder
	at := 0
	for _, p := range places {
		out.WriteString(text[at:p[2]])
		out.WriteString(s.value)
		at = p[3]
	}
	out.WriteString(text[at:])
	return out.String(), nil
}

// Files gives the text of every shipped file that has a slot, by its path below
// root, with all slots filled. The error names every slot that is missing.
func Files(root string) (map[string]string, error) {
	out := map[string]string{}
	var problems []error
	for _, s := range slots() {
		text, read := out[s.file]
		if !read {
			b, err := os.ReadFile(filepath.Join(root, s.file))
			if err != nil {
				return nil, fmt.Errorf("read a shipped file: %w", err)
			}
			text = string(b)
		}
		filled, err := s.fill(text)
		if err != nil {
			problems = append(problems, err)
			filled = text
		}
		out[s.file] = filled
	}
	return out, errors.Join(problems...)
}

// Write fills all slots below root. It changes nothing when one is missing.
func Write(root string) error {
	files, err := Files(root)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(root, name)
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		if err := os.WriteFile(path, []byte(files[name]), info.Mode().Perm()); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}
