package blackbox

import (
	"encoding/base64"
	"strings"
	"testing"

	"belfry/e2e/harness"
	"belfry/e2e/wsclient"
)

// kubernetes is the subprotocol in which Kubernetes' clients carry a token.
func kubernetes(token string) string {
	return "base64url.bearer.authorization.k8s.io." + base64.RawURLEncoding.EncodeToString([]byte(token))
}

// subprotocols asks for them. Those of refused tokens must be shown nowhere.
func subprotocols(in *harness.Installation, names ...string) []wsclient.Field {
	for _, name := range names {
		if strings.HasPrefix(name, "leak") {
			in.Secret(name)
		}
	}
	return []wsclient.Field{{Name: "Sec-WebSocket-Protocol", Value: strings.Join(names, ", ")}}
}

func subprotocol(t *testing.T, in *harness.Installation) {
	for _, row := range []struct {
		token  string // in the query
		names  []string
		agreed string
	}{
		{harness.TokenAdmin, nil, ""},
		{harness.TokenAdmin, []string{"mqtt", "graphql-ws"}, "mqtt"},
		{"", []string{"bearer", harness.TokenAdmin}, "bearer"},
		{"", []string{"access_token", harness.TokenAdmin, "belfry"}, "belfry"},
		{"", []string{kubernetes(harness.TokenAdmin), "base64.binary.k8s.io"}, "base64.binary.k8s.io"},
	} {
		conn, answer, err := wsclient.Dial(t.Context(), in.Request(0, wsclient.Request{Token: row.token, Header: subprotocols(in, row.names...)}))
		if err != nil || conn == nil {
			t.Fatalf("%q: %+v, %v", row.names, answer, err)
		}
		if got := strings.Join(answer.Header["Sec-Websocket-Protocol"], "; "); got != row.agreed {
			t.Errorf("%q: the gateway agreed to %q, want %q", row.names, got, row.agreed)
		}
		conn.Drop()
	}
}
