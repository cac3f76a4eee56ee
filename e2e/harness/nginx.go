package harness

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// The addresses of deploy/nginx/development.conf. A test that reads the file
// itself, instead of a copy with free ports, needs exactly these.
const (
	nginxAddr = "127.0.0.1:8043"
	apiAddr   = "127.0.0.1:8050"
)

// GatewayAddrs are the gateways that nginx knows.
var GatewayAddrs = []string{"127.0.0.1:8051", "127.0.0.1:8052"}

// FixedPorts waits until no other test of this machine has the ports that the
// shipped files name (8013, 8043, 8050 to 8052 and the Procfile's), and keeps them
// until the test ends. A test calls it once, before it starts anything.
func FixedPorts(t T) {
	t.Helper()
	if os.Getenv(insideVariable) != "" {
		return // nobody else is here
	}
	file, err := os.OpenFile(filepath.Join(os.TempDir(), "belfry-fixed-ports.lock"), os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		t.Fatalf("lock the fixed ports: %v", err)
	}
	t.Cleanup(func() { _ = file.Close() }) // which unlocks
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatalf("lock the fixed ports: %v", err)
	}
}

// Nginx is a running nginx.
type Nginx struct {
	Addr   string      // where it speaks TLS
	TLS    *tls.Config // trusts its certificate
	Prefix string      // the folder of its logs

	process *Process
}

// StartNginx runs nginx with the shipped development configuration until the
// test ends.
func StartNginx(t T) *Nginx {
	t.Helper()
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	makeCertificate(t, root)
	n := &Nginx{Addr: nginxAddr, TLS: Trust(t, filepath.Join(root, "tmp", "nginx", "certificate.pem")), Prefix: t.TempDir()}
	n.Run(t, filepath.Join(root, "deploy", "nginx", "development.conf"))
	return n
}

// makeCertificate makes the development certificate where it is missing. One test
// at a time: others may be about to read it.
func makeCertificate(t T, root string) {
	t.Helper()
	file, err := os.OpenFile(filepath.Join(os.TempDir(), "belfry-certificate.lock"), os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		t.Fatalf("lock the certificate: %v", err)
	}
	defer func() { _ = file.Close() }() // which unlocks
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatalf("lock the certificate: %v", err)
	}
	making := exec.Command(filepath.Join(root, "deploy", "nginx", "certificate"))
	making.Dir = root
	if out, err := making.CombinedOutput(); err != nil {
		t.Fatalf("make a certificate: %v\n%s", err, out)
	}
}

// Run starts nginx with a main configuration file and waits until it listens.
func (n *Nginx) Run(t T, main string) {
	t.Helper()
	n.process = Run(t, "nginx", NginxProgram(), "-p", n.Prefix, "-e", "error.log", "-c", main)
	ctx, cancel := context.WithTimeout(context.Background(), Within(10*time.Second))
	defer cancel()
	err := n.process.Await(ctx, "it to listen", func() error {
		conn, err := net.DialTimeout("tcp", n.Addr, time.Second)
		if err == nil {
			_ = conn.Close()
		}
		return err
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, n.process.Tail(20))
	}
}

// Finish lets nginx end what it serves and stops it, so that every request is
// in its logs. It returns all that it wrote, by file.
func (n *Nginx) Finish(t T) map[string]string {
	t.Helper()
	n.process.asked.Store(true)
	n.process.Signal(syscall.SIGQUIT)
	select {
	case <-n.process.done:
	case <-time.After(20 * time.Second):
		t.Fatal("nginx still serves somebody")
	}
	logs := map[string]string{"output": n.process.Log()}
	files, err := filepath.Glob(filepath.Join(n.Prefix, "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		logs[filepath.Base(file)] = string(text)
	}
	return logs
}

// NginxProgram is where nginx is; it is not in the PATH of every user.
func NginxProgram() string {
	if bin, err := exec.LookPath("nginx"); err == nil {
		return bin
	}
	return "/usr/sbin/nginx"
}

// Trust is a client's configuration that believes one certificate.
func Trust(t T, path string) *tls.Config {
	t.Helper()
	certificate, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(certificate) {
		t.Fatalf("%s is no certificate: remove it, and it is made again", path)
	}
	return &tls.Config{RootCAs: pool, ServerName: "localhost"}
}

// StartAPI runs an application that has nothing, where nginx looks for one.
func StartAPI(t T) {
	t.Helper()
	listener, err := net.Listen("tcp", apiAddr)
	if err != nil {
		t.Fatalf("the place of the example application: %v", err)
	}
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": "the application has no " + r.URL.Path})
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
}
