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

// The page, its looks, and what it does.
var (
	//go:embed page.html
	pageText string
	//go:embed page.css
	pageStyle string
	//go:embed page.js
	pageScript string
)

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// page shows a log of events and a form to emit. It holds the token and the
// door's secret, so it is for this host alone: a foreign page cannot read it
// (same-origin policy), and a foreign name that was pointed here (DNS rebinding)
// is refused by its Host.
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
			http.Error(w, "the page could not be made", http.StatusInternalServerError)
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

// manual gives the manual of the commands, as text.
func (d *Dev) manual() http.Handler {
	return forThisHost(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = io.WriteString(w, d.cfg.Manual)
	})
}

// forThisHost refuses whoever asks under a name that is not this host's.
func forThisHost(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u := (&url.URL{Host: r.Host}); u.Hostname() != "localhost" && !net.ParseIP(u.Hostname()).IsLoopback() {
			http.Error(w, "this page is for this host alone: open it as 127.0.0.1 or localhost", http.StatusMisdirectedRequest)
			return
		}
		next(w, r)
	})
}
