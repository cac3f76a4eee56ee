package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestCheckURL(t *testing.T) {
	for url, want := range map[string][2]bool{ // without and with insecure
		"https://issuer.example.org/keys":     {true, true},
		"http://127.0.0.1:8080/keys":          {true, true},
		"http://[::1]:8080/keys":              {true, true},
		"http://localhost/keys":               {true, true},
		"http://keycloak.auth.svc:8080/keys":  {false, true},
		"http://127.0.0.1.example.org/":       {false, true},
		"file:///etc/passwd":                  {false, false},
		"ftp://issuer.example.org/":           {false, false},
		"https://user:pass@example.org/":      {false, false},
		"http://user:pass@keycloak.auth.svc/": {false, false},
		"keycloak.auth.svc:8080/keys":         {false, false},
		"":                                    {false, false},
	} {
		for i, insecure := range []bool{false, true} {
			err := CheckURL(url, insecure)
			if (err == nil) != want[i] {
				t.Errorf("%q, insecure %t: got %v", url, insecure, err)
			}
			if plain := strings.HasPrefix(url, "http://") && !want[0] && want[1]; !insecure && errors.Is(err, ErrPlain) != plain {
				t.Errorf("%q: got %v, plain http alone is wrong: %t", url, err, plain)
			}
		}
	}
}

func get(t *testing.T, client *http.Client, url string, most int) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := Fetch(context.Background(), client, req, most)
	return string(answer.Body), err
}

func TestFetch(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, "/good", http.StatusFound)
		case "/none":
			w.WriteHeader(http.StatusNoContent)
		default:
			_, _ = w.Write([]byte("0123456789"))
		}
	}))
	defer server.Close()
	client, err := NewClient(Options{Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	for _, row := range []struct {
		path string
		most int
		want string // of the error; empty: the body is there
	}{
		{"/good", 10, ""}, {"/good", 9, "larger than 9 bytes"}, {"/away", 10, "status 302"}, {"/none", 10, "status 204"},
	} {
		body, err := get(t, client, server.URL+row.path, row.most)
		if row.want == "" && (err != nil || body != "0123456789") || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
			t.Errorf("%s, %d: got %q, %v; want %q", row.path, row.most, body, err, row.want)
		}
	}
}

// TestErrorsShowNoQuery: the address of a key set may contain a secret.
func TestErrorsShowNoQuery(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	client, err := NewClient(Options{Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	check := func() {
		t.Helper()
		if _, err := get(t, client, server.URL+"/path?key=s3cr3t", 10); err == nil || strings.Contains(err.Error(), "s3cr3t") || strings.Contains(err.Error(), "/path") {
			t.Errorf("got %v", err)
		}
	}
	check()
	server.Close()
	check()
}

// write writes the file with a new modification time.
func write(t *testing.T, path string, text []byte, age time.Duration) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	when := time.Now().Add(-age)
	if err := os.Chtimes(path, when, when); err != nil {
		t.Fatal(err)
	}
}

func pemOf(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

// TestPrivateAuthority: a server's certificate is signed by the authority in a file, and the
// file is read again when it changes.
func TestPrivateAuthority(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) }))
	defer server.Close()
	foreign := selfSigned(t)

	system, err := NewClient(Options{Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := get(t, system, server.URL, 10); err == nil {
		t.Error("the system's authorities vouch for a test server")
	}

	path := filepath.Join(t.TempDir(), "ca.pem")
	if _, err := NewClient(Options{Timeout: time.Second, CAFile: path}); err == nil {
		t.Error("a file that is not there was taken")
	}
	write(t, path, []byte("no certificate"), time.Hour)
	if _, err := NewClient(Options{Timeout: time.Second, CAFile: path}); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a file without a certificate: %v", err)
	}

	core, lines := observer.New(zap.InfoLevel)
	write(t, path, foreign, 50*time.Minute)
	client, err := NewClient(Options{Timeout: 5 * time.Second, CAFile: path, Logger: zap.New(core)})
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	if _, err := get(t, client, server.URL, 10); !errors.As(err, new(*tls.CertificateVerificationError)) {
		t.Errorf("another authority: got %v", err)
	}
	write(t, path, pemOf(server.Certificate()), 40*time.Minute)
	if body, err := get(t, client, server.URL, 10); err != nil || body != "ok" {
		t.Errorf("after the file was renewed: %q, %v", body, err)
	}
	write(t, path, []byte("half of a cert"), 30*time.Minute)
	for range 3 {
		if body, err := get(t, client, server.URL, 10); err != nil || body != "ok" {
			t.Errorf("after the file was spoilt: %q, %v", body, err)
		}
	}
	if n := lines.FilterMessageSnippet("cannot read").Len(); n != 1 {
		t.Errorf("%d lines about the spoilt file, want 1", n)
	}
	write(t, path, foreign, 20*time.Minute)
	if _, err := get(t, client, server.URL, 10); err == nil {
		t.Error("an authority that was taken out still vouches")
	}
}
