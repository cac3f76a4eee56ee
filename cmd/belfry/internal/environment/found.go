package environment

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// addressFile returns the path of the file in which a `belfry dev` leaves its embedded://
// address for other commands of the same user.
func addressFile() string {
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "belfry-door."+strconv.Itoa(os.Getuid()))
}

// LeaveAddress writes the address of a running `belfry dev` to a file that only its user can
// read. forget removes the file, unless another `belfry dev` has replaced it.
func LeaveAddress(address string) (forget func() error, err error) {
	path := addressFile()
	next, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("leave the address for other commands: %w", err)
	}
	_, err = next.WriteString(address + "\n")
	if err = errors.Join(err, next.Close()); err == nil {
		err = os.Rename(next.Name(), path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("leave the address for other commands: %w", err), os.Remove(next.Name()))
	}
	return func() error {
		if FindAddress() != address {
			return nil
		}
		return os.Remove(path)
	}, nil
}

// FindAddress returns the address that a `belfry dev` of this user has left, or "". It ignores
// a file that belongs to another user or that others can read.
func FindAddress() string {
	path := addressFile()
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return ""
	}
	if owner, known := info.Sys().(*syscall.Stat_t); !known || int(owner.Uid) != os.Getuid() {
		return ""
	}
	text, err := os.ReadFile(path)
	address := strings.TrimSpace(string(text))
	if err != nil || !strings.HasPrefix(address, "embedded://") {
		return ""
	}
	return address
}
