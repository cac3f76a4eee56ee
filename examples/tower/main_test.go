package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
)

// tower runs a command and returns what it printed and its error.
func tower(t *testing.T, args ...string) (printed string, err error) {
	t.Helper()
	var out bytes.Buffer
	r := root()
	r.Writer, r.ErrWriter = &out, &out
	err = r.Run(t.Context(), append([]string{"tower"}, args...))
	return out.String(), err
}

func TestHelpHasAnExample(t *testing.T) {
	for command, want := range map[string]string{
		"":      "tower demo",
		"serve": "tower serve --demo-users",
		"demo":  "tower demo --listen",
	} {
		args := strings.Fields(command + " --help")
		printed, err := tower(t, args...)
		if err != nil {
			t.Errorf("%q: %v", args, err)
		}
		_, example, found := strings.Cut(printed, "Example")
		if !found || !strings.Contains(example, want) {
			t.Errorf("%q has no example with %q:\n%s", args, want, printed)
		}
	}
}

// TestErrorsSayWhatToDo also checks that each is said once, by main alone.
func TestErrorsSayWhatToDo(t *testing.T) {
	for _, name := range []string{"BELFRY_AMQP_URL", "BELFRY_JWT_SECRET_FILE", "BELFRY_AUTHORIZE_SECRET_FILE"} {
		t.Setenv(name, "")
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	good, short := filepath.Join(dir, "good"), filepath.Join(dir, "short")
	for path, text := range map[string]string{good: strings.Repeat("x", minSecret), short: "x"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	serve := func(key string, more ...string) []string {
		return append([]string{
			"serve", "--listen", "127.0.0.1:0", "--database", filepath.Join(dir, "tower.db"),
			"--amqp-url", "amqp://127.0.0.1:1/", "--token-key-file", key, "--authorize-secret-file", good,
		}, more...)
	}
	for _, look := range []struct {
		args []string
		want []string
	}{
		{[]string{"nothing"}, []string{`no command "nothing"`, "tower --help"}},
		{[]string{"serve"}, []string{"--amqp-url (BELFRY_AMQP_URL)", "--token-key-file (BELFRY_JWT_SECRET_FILE)", "--authorize-secret-file (BELFRY_AUTHORIZE_SECRET_FILE)", "tower serve --help", "tower demo"}},
		{[]string{"serve", "--colour"}, []string{"colour", "tower serve --help"}},
		{[]string{"demo", "now"}, []string{`"now"`, "tower demo --help"}},
		{serve(good, "now"), []string{`"now"`, "tower serve --help"}},
		{serve(filepath.Join(dir, "none")), []string{"BELFRY_JWT_SECRET_FILE", "no such file", "openssl rand -hex 32"}},
		{serve(short), []string{"BELFRY_JWT_SECRET_FILE", "1 bytes", "openssl rand -hex 32"}},
		{serve("../../deploy/development/jwt.secret"), []string{"BELFRY_JWT_SECRET_FILE", "everybody knows", "BELFRY_DEVELOPMENT=true"}},
		{serve(good, "--amqp-url", "amqp://belfry-backend:change-me@127.0.0.1:1/"), []string{"BELFRY_AMQP_URL", "everybody knows", "BELFRY_DEVELOPMENT=true"}},
		{serve(good, "--session-limit", "0"), []string{"--session-limit (TOWER_SESSION_LIMIT)", "at least 1"}},
		{serve(good, "--database", filepath.Join(dir, "none", "tower.db")), []string{"--database (TOWER_DATABASE)"}},
		{serve(good, "--amqp-url", "http://127.0.0.1:1/"), []string{"--amqp-url (BELFRY_AMQP_URL)"}},
		{serve(good, "--listen", taken(t)), []string{"address already in use", "--listen (TOWER_LISTEN)"}},
		{[]string{"demo", "--belfry", filepath.Join(dir, "none")}, []string{"make build", "--belfry"}},
		{[]string{"demo", "--belfry", good, "--policy", filepath.Join(dir, "none")}, []string{"repository's top", "--policy"}},
	} {
		printed, err := tower(t, look.args...)
		if err == nil {
			t.Errorf("%q: no error", look.args)
			continue
		}
		for _, want := range look.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q: the error has no %q: %v", look.args, want, err)
			}
		}
		if printed != "" {
			t.Errorf("%q: it printed beside the error:\n%s", look.args, printed)
		}
	}
}

// taken is an address that somebody listens on.
func taken(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().String()
}

// order is what the emitter is told to close.
type order struct{ user, session string }

type orders chan order

func (o orders) Disconnect(_ context.Context, user, session string) error {
	o <- order{user, session}
	return nil
}

func TestSocketsOfAnEndedSessionAreClosed(t *testing.T) {
	told := make(orders) // nobody takes from it yet: who asks does not wait
	s := &sockets{through: told, log: zap.NewNop()}
	s.close(t.Context(), 7, "a session")
	if got := <-told; got != (order{"7", "a session"}) {
		t.Errorf("told %v", got)
	}
	s.wait()
}
