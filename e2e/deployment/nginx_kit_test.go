package deployment

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"belfry/e2e/harness"
)

// copyNginx writes a shipped main file of nginx and the parts that it includes
// into a folder, edited, beside a certificate.
func copyNginx(t *testing.T, dir, main string, edits ...string) {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(filepath.Join(root, "deploy", "nginx", "certificate"), dir).CombinedOutput(); err != nil {
		t.Fatalf("make a certificate: %v\n%s", err, out)
	}
	parts, err := filepath.Glob(filepath.Join(root, "deploy", "nginx", "*.conf"))
	if err != nil {
		t.Fatal(err)
	}
	edit := strings.NewReplacer(edits...)
	for _, file := range append(parts, filepath.Join(root, main)) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, filepath.Base(file)), edit.Replace(string(text)))
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// mainFile is an nginx.conf of the system around what is included: in the
// foreground, as the test's own user, who may read the repository.
func mainFile(t *testing.T, include string) string {
	t.Helper()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return "daemon off;\nuser " + me.Username + " " + group(t, me) + ";\npid nginx.pid;\nevents {}\nhttp { include /etc/nginx/mime.types; include " + include + "; }\n"
}

func group(t *testing.T, u *user.User) string {
	t.Helper()
	g, err := user.LookupGroupId(u.Gid)
	if err != nil {
		t.Fatal(err)
	}
	return g.Name
}

// backend is something that listens where nginx expects one of ours.
type backend struct {
	mu    sync.Mutex
	asked []string // the request lines
}

// paths are the request lines that came so far.
func (b *backend) paths() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.asked...)
}

// standIn listens at an address until the test ends and lets serve have each
// connection.
func standIn(t *testing.T, addr string, serve func(net.Conn)) {
	t.Helper()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			served.Go(func() {
				_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
				serve(conn)
				_ = conn.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		served.Wait()
	})
}

// application answers every request with 200 and remembers its path.
func application(t *testing.T, addr string) *backend {
	t.Helper()
	b := &backend{}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		b.asked = append(b.asked, r.URL.EscapedPath())
		b.mu.Unlock()
		_, _ = w.Write([]byte("the application"))
	})}
	done := make(chan struct{})
	go func() {
		_ = server.Serve(listener)
		close(done)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return b
}
