package dev

import (
	"bytes"
	"crypto/rand"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"net"
	"net/http"
	"net/url"

	"belfry/pkg/daemon"
)

// The page: its HTML, style and script.
var (
	//go:embed page.html
	pageText string
	//go:embed page.css
	pageStyle string
	//go:embed page.js
	pageScript string
)

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// page shows a log of events and a form to emit. It contains the token and the secret, so
// only this host may read it: pages of other sites cannot, by the same-origin policy, and a
// request with a foreign Host (DNS rebinding) is refused.
func (d *Dev) page() http.Handler {
	return forThisHost(func(w http.ResponseWriter, _ *http.Request) {
		nonce := rand.Text()
		var out bytes.Buffer
		err := pageTemplate.Execute(&out, map[string]any{
			"Nonce": nonce, "Version": daemon.Version,
			"Style": template.CSS(pageStyle), "Script": template.JS(pageScript), //nolint:gosec // both are ours
			"Config": map[string]string{"socket": d.websocket(), "token": d.cfg.Token, "secret": d.cfg.Secret.Reveal(), "self": d.cfg.Self},
		})
		if err != nil {
			http.Error(w, "the page could not be rendered", http.StatusInternalServerError)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", fmt.Sprintf(
			"default-src 'none'; img-src data:; script-src 'nonce-%[1]s'; style-src 'nonce-%[1]s'; connect-src 'self' ws://%[2]s; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
			nonce, reachable(d.Addr())))
		_, _ = out.WriteTo(w)
	})
}

// manual serves the manual of the commands, as text.
func (d *Dev) manual() http.Handler {
	return forThisHost(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = io.WriteString(w, d.cfg.Manual)
	})
}

// forThisHost refuses requests whose Host is not a loopback name or address.
func forThisHost(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u := (&url.URL{Host: r.Host}); u.Hostname() != "localhost" && !net.ParseIP(u.Hostname()).IsLoopback() {
			http.Error(w, "only this host may open this page: use 127.0.0.1 or localhost", http.StatusMisdirectedRequest)
			return
		}
		next(w, r)
	})
}
