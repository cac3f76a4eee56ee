package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// byteOrderMark (U+FEFF) is what some editors write at the beginning of UTF-8 files.
const byteOrderMark = "\ufeff"

// checkText refuses values with invisible characters, which come from files with Windows line
// ends or a byte order mark. The error never quotes a value.
func checkText(environ []string) error {
	var problems []error
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if bare, marked := strings.CutPrefix(name, byteOrderMark); marked && strings.HasPrefix(bare, Prefix+"_") {
			problems = append(problems, Wrong(bare, "has a byte order mark (BOM) before its name", "save the file that sets it as UTF-8 without one"))
		}
		if !strings.HasPrefix(name, Prefix+"_") || strings.HasPrefix(name, testPrefix) {
			continue
		}
		if what, fix := invisible(value); what != "" {
			problems = append(problems, Wrong(name, what, fix))
		}
	}
	return errors.Join(problems...)
}

// invisible names the invisible characters in a text, or returns "" if there are none.
func invisible(text string) (what, fix string) {
	switch i := strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }); {
	case strings.Contains(text, byteOrderMark):
		return "holds a byte order mark (BOM)", "save the file that sets it as UTF-8 without one"
	case i < 0:
		return "", ""
	case text[i] == '\r':
		return "holds a carriage return (CR)", "save the file that sets it with Unix line ends"
	case text[i] == '\n':
		return "holds a line break", "take it away"
	default:
		return fmt.Sprintf("holds the control character U+%04X", text[i]), "take it away"
	}
}

// CheckFile checks that a file can be read and does not begin with a byte order
// mark. An empty path is fine.
func CheckFile(variable, path string) error {
	if path == "" {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return Wrong(variable, fmt.Sprintf("names a file that cannot be read (%v)", err), "correct the path or its permissions")
	}
	start := make([]byte, len(byteOrderMark))
	n, _ := io.ReadFull(f, start) // the program that reads the file reports errors, also that it is a folder
	if bytes.Equal(start[:n], []byte(byteOrderMark)) {
		return errors.Join(Wrong(variable, "names a file that begins with a byte order mark (BOM)", "save it as UTF-8 without one"), f.Close())
	}
	return f.Close()
}
