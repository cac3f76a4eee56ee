package settings

import (
	"strings"
	"testing"
)

func TestTraceURL(t *testing.T) {
	for url, want := range map[string]string{
		"":                                     "",
		"http://127.0.0.1:4318/v1/traces":      "",
		"http://[::1]:4318/v1/traces":          "",
		"http://localhost:4318/v1/traces":      "",
		"https://otel.example.com/v1/traces":   "",
		"http://otel.example.com/v1/traces":    "use https://",
		"grpc://127.0.0.1:4317/v1/traces":      "use https://",
		"127.0.0.1:4318":                       "write it with its path",
		"http://127.0.0.1:4318":                "write it with its path",
		"http://127.0.0.1:4318/":               "write it with its path",
		"https:///v1/traces":                   "write it with its path",
		"https://u:hidden@otel.example.com/v1": "holds a password",
		"https://otel.example.com/v1?key=hid":  "holds a password",
	} {
		err := Trace{TraceURL: url}.CheckTrace()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", url, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hid") {
			t.Errorf("the error gives the password away: %v", err)
		}
	}
}
