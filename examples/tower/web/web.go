// Package web holds the example Tower's page. It needs no build step: the
// client library beside it is a copy of what clients/js builds, and a test
// compares the two.
package web

import (
	"embed"
	"net/http"
)

//go:embed index.html *.js *.css *.svg
var files embed.FS

// Handler serves the page at / and its parts below /static/.
func Handler() http.Handler {
	mux := http.NewServeMux()
	assets := http.StripPrefix("/static/", http.FileServerFS(files))
	mux.Handle("GET /static/", noListing(assets))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'; connect-src 'self' ws: wss:; frame-ancestors 'none'")
		w.Header().Set("Cache-Control", "no-cache")
		http.ServeFileFS(w, r, files, "index.html")
	})
	return mux
}

func noListing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/static/" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "no-cache")
		next.ServeHTTP(w, r)
	})
}
