package settings

import "net/url"

// Trace has the settings of tracing. Gateway and worker embed it.
type Trace struct {
	TraceURL string `split_words:"true" desc:"where spans go, OTLP over HTTP, as in http://127.0.0.1:4318/v1/traces; https, or http on loopback; empty: no tracing. Events whose emitter sent a sampled traceparent are traced"`
}

// CheckTrace checks what can be checked without the collector.
func (t Trace) CheckTrace() error {
	const name = "BELFRY_TRACE_URL"
	if t.TraceURL == "" {
		return nil
	}
	u, err := url.Parse(t.TraceURL)
	switch {
	case err != nil || u.Hostname() == "" || u.Path == "" || u.Path == "/":
		return Wrong(name, "is not the address of a collector", "write it with its path, as in http://127.0.0.1:4318/v1/traces")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return Wrong(name, "holds a password or a query", "let a collector on this host add what the service behind it wants")
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	}
	return Wrong(name, "begins with "+u.Scheme+"://", "use https://, or http:// on loopback")
}
