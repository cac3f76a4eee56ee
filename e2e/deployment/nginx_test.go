package deployment

import (
	"crypto/tls"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"belfry/e2e/harness"
	"belfry/e2e/wsclient"
)

// TestNginxReadsItsFiles lets nginx itself check the files that no other test
// starts: those of docker-compose.yml, whose names no resolver knows here.
func TestNginxReadsItsFiles(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	dir := t.TempDir()
	copyNginx(t, dir, "deploy/compose/nginx.conf", "/etc/nginx/belfry", dir, "/tmp/nginx", dir, "gateway:8051", "127.0.0.1:8051", "api:8050", "127.0.0.1:8050")
	out, err := exec.Command(harness.NginxProgram(), "-t", "-p", dir, "-e", "error.log", "-g", "pid nginx.pid;", "-c", filepath.Join(dir, "nginx.conf")).CombinedOutput()
	if err != nil {
		t.Errorf("nginx -t: %v\n%s", err, out)
	}
}

// production is nginx with the shipped production.conf, on free ports.
type production struct {
	*harness.Nginx
	plain string // the address without TLS
}

func startProduction(t *testing.T) *production {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir, plain, secure := t.TempDir(), harness.FreeAddr(t), harness.FreeAddr(t)
	copyNginx(t, dir, "deploy/nginx/production.conf",
		"/etc/nginx/belfry", dir, "/etc/ssl/belfry", dir, "/var/log/nginx", dir,
		"/usr/share/belfry/static", filepath.Join(root, "examples", "tower", "web"),
		"listen 80;", "listen "+plain+";", "listen [::]:80;", "", "listen 443 ssl;", "listen "+secure+" ssl;", "listen [::]:443 ssl;", "",
	)
	write(t, filepath.Join(dir, "main.conf"), mainFile(t, filepath.Join(dir, "production.conf")))
	p := &production{Nginx: &harness.Nginx{Addr: secure, TLS: harness.Trust(t, filepath.Join(dir, "certificate.pem")), Prefix: dir}, plain: plain}
	p.Run(t, filepath.Join(dir, "main.conf"))
	return p
}

// get asks for a path of one of its two servers.
func (p *production) get(t *testing.T, path string, plain bool) *wsclient.Answer {
	t.Helper()
	r := wsclient.Request{Addr: p.Addr, TLS: p.TLS, Path: path, Host: "tower.example", Upgrade: "-", Version: "-", Key: "-"}
	if plain {
		r.Addr, r.TLS = p.plain, nil
	}
	_, answer, err := wsclient.Dial(t.Context(), r)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return answer
}

const hsts = "Strict-Transport-Security"

// TestNginxProduction starts the configuration for production.
func TestNginxProduction(t *testing.T) {
	needsBroker(t)
	if !harness.Namespace(t) {
		return
	}
	p := startProduction(t)
	t.Run("port 80 leads to TLS", func(t *testing.T) {
		answer := p.get(t, "/api/jobs?page=2", true)
		if to := answer.Header.Get("Location"); answer.Status != http.StatusMovedPermanently || to != "https://tower.example/api/jobs?page=2" {
			t.Errorf("HTTP %d to %q", answer.Status, to)
		}
		if answer.Header.Get(hsts) != "" {
			t.Error("HSTS over plain HTTP (RFC 6797 7.2)")
		}
	})
	t.Run("port 80 refuses a websocket and shows no token", func(t *testing.T) {
		for _, path := range []string{"/websocket", "/websocket/", "/WebSocket", "/websocket/x"} {
			answer := p.get(t, path+"?token=secret-of-nobody", true)
			if answer.Status != http.StatusForbidden || answer.Header.Get("Location") != "" {
				t.Errorf("%s: HTTP %d to %q", path, answer.Status, answer.Header.Get("Location"))
			}
		}
	})
	t.Run("TLS: the page, HSTS, also with an error", func(t *testing.T) {
		page, gone := p.get(t, "/static/index.html", false), p.get(t, "/api/jobs", false)
		if page.Status != http.StatusOK || !strings.Contains(page.Body, "<html") || page.Header.Get("Expires") == "" {
			t.Errorf("a static file: HTTP %d, %v", page.Status, page.Header)
		}
		if gone.Status != http.StatusBadGateway {
			t.Errorf("without an application: HTTP %d", gone.Status)
		}
		for _, answer := range []*wsclient.Answer{page, gone} {
			if got := answer.Header.Get(hsts); got != "max-age=63072000" {
				t.Errorf("HTTP %d with %s %q", answer.Status, hsts, got)
			}
		}
	})
	t.Run("a websocket is asked of a gateway", func(t *testing.T) {
		if got := status(t, wsclient.Request{Addr: p.Addr, TLS: p.TLS, Token: "secret-of-nobody"}); got != http.StatusBadGateway {
			t.Errorf("without a gateway: HTTP %d", got)
		}
	})
	t.Run("versions and ciphers of TLS", p.versions)
	logs := p.Finish(t)
	for file, text := range logs {
		if strings.Contains(text, "secret-of-nobody") {
			t.Errorf("%s shows a token:\n%s", file, text)
		}
	}
	if !strings.Contains(logs["belfry.access.log"], `"GET /websocket HTTP/1.1" 403 `) || !strings.Contains(logs["belfry.error.log"], "GET /api/jobs") {
		t.Errorf("the logs are not what they should be: %v", logs)
	}
}

func (p *production) versions(t *testing.T) {
	for _, c := range []struct {
		name     string
		min, max uint16
		ciphers  []uint16
		good     bool
	}{
		{"1.0", tls.VersionTLS10, tls.VersionTLS10, nil, false},
		{"1.1", tls.VersionTLS11, tls.VersionTLS11, nil, false},
		{"1.2", tls.VersionTLS12, tls.VersionTLS12, nil, true},
		{"1.2 without forward secrecy", tls.VersionTLS12, tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}, false},
		{"1.2 with CBC", tls.VersionTLS12, tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}, false},
		{"1.3", tls.VersionTLS13, tls.VersionTLS13, nil, true},
	} {
		config := p.TLS.Clone()
		config.MinVersion, config.MaxVersion, config.CipherSuites = c.min, c.max, c.ciphers
		conn, err := tls.Dial("tcp", p.Addr, config)
		if (err == nil) != c.good {
			t.Errorf("TLS %s: %v", c.name, err)
		}
		if err == nil {
			if got := conn.ConnectionState().Version; got != c.min {
				t.Errorf("TLS %s: spoke %x", c.name, got)
			}
			_ = conn.Close()
		}
	}
}

// TestNginxDevelopment: HSTS, which browsers remember for a host with all its
// ports, is production's alone; the application's inside is not to be had.
func TestNginxDevelopment(t *testing.T) {
	needsBroker(t)
	if !harness.Namespace(t) {
		return
	}
	asked := application(t, "127.0.0.1:8050")
	n := harness.StartNginx(t)
	get := func(path string) *wsclient.Answer {
		_, answer, err := wsclient.Dial(t.Context(), wsclient.Request{Addr: n.Addr, TLS: n.TLS, Path: path, Method: "POST", Upgrade: "-", Version: "-", Key: "-"})
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		return answer
	}
	if answer := get("/api/login"); answer.Status != http.StatusOK || answer.Header.Get(hsts) != "" {
		t.Errorf("HTTP %d with %s %q", answer.Status, hsts, answer.Header.Get(hsts))
	}
	for _, path := range []string{
		"/internal/authorize", "/internal/", "/internal/anything?else", "//internal/authorize", "/./internal/authorize", "/api/../internal/authorize",
		"/internal%2Fauthorize", "/%69nternal/authorize", "/%2Finternal/authorize", "/internal//authorize", "http://127.0.0.1/internal/authorize",
		// As careless applications read it: folding letters, with parameters, backslashes, decoding twice.
		"/internal", "/internal?x", "/Internal/authorize", "/INTERNAL/authorize", "/internal;x/authorize", "/;x/internal/authorize", "/.;/internal/authorize",
		"/api/..;/internal/authorize", "/api;x/internal/authorize", "/internal%20/authorize", "/internal./authorize", "/%20internal/authorize",
		`/\internal/authorize`, `/internal\authorize`, `/api\..\internal\authorize`, "/%2569nternal/authorize", "/internal%252Fauthorize", "/%252finternal/authorize",
		"/inte%72nal/authorize", "/api/..%2Finternal/authorize", "/internal/authorize/", "/%2e%2e/internal/authorize", "/internal%09/authorize",
	} {
		// nginx itself refuses some with 400.
		if answer := get(path); answer.Status != http.StatusNotFound && answer.Status != http.StatusBadRequest {
			t.Errorf("%s: HTTP %d %s", path, answer.Status, answer.Body)
		}
	}
	outside := []string{"/international", "/internals", "/internal-tools/", "/api/internal", "/api/jobs;v=2", "/files/100%25"}
	for _, path := range outside {
		if answer := get(path); answer.Status != http.StatusOK {
			t.Errorf("%s, which is not inside: HTTP %d", path, answer.Status)
		}
	}
	if got := asked.paths(); len(got) != 1+len(outside) {
		t.Errorf("the application was asked for %q, want the login and %q", got, outside)
	}
}
