package edge

import (
	"encoding/base64"
	"strings"
)

// kubernetesToken is the prefix of the subprotocol in which Kubernetes' clients send
// a token, because browsers do not let them set headers. The token follows in
// base64url. Like here, the server removes it and agrees to another subprotocol.
const kubernetesToken = "base64url.bearer.authorization.k8s.io." //nolint:gosec // a prefix that everybody knows

// tokenFollows are subprotocols after which the next one in the list is the token.
var tokenFollows = []string{"bearer", "access_token"}

// fromProtocols separates tokens from the subprotocols that a client offers (RFC
// 6455 4.1, 11.3.4) and chooses the one to agree to: the first that is neither a
// token nor a word announcing one, or else the first such word. Browsers fail a
// connection if the server agrees to none of their subprotocols, so any name is
// accepted; Belfry's protocol is the same under every name.
func fromProtocols(lines []string) credentials {
	var c credentials
	var word string // that announced a token
	items := offered(lines)
	for i := 0; i < len(items); i++ {
		name := items[i]
		encoded, found := cutPrefixFold(name, kubernetesToken)
		switch {
		case found:
			c.explicit = append(c.explicit, decodeToken(encoded))
		case announces(name) && i+1 < len(items):
			i++
			c.explicit = append(c.explicit, items[i])
			if word == "" {
				word = name
			}
		case c.subprotocol == "" && isHTTPToken(name):
			c.subprotocol = name
		}
	}
	if c.subprotocol == "" {
		c.subprotocol = word
	}
	c.alone = c.subprotocol == "" && len(c.explicit) > 0
	return c
}

// offered returns the subprotocols that a request's header fields list, in order.
func offered(lines []string) []string {
	var out []string
	for _, line := range lines {
		for item := range strings.SplitSeq(line, ",") {
			if item = strings.Trim(item, " \t"); item != "" {
				out = append(out, item)
			}
		}
	}
	return out
}

// isHTTPToken reports whether s is a token of HTTP's grammar (RFC 9110 5.6.2), as the name
// of a subprotocol must be.
func isHTTPToken(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

func announces(name string) bool {
	for _, word := range tokenFollows {
		if strings.EqualFold(name, word) {
			return true
		}
	}
	return false
}

// decodeToken decodes base64url. It also accepts "+" for "-", because some clients
// send standard base64 without its padding.
func decodeToken(encoded string) string {
	text, err := base64.RawURLEncoding.DecodeString(strings.ReplaceAll(encoded, "+", "-"))
	if err != nil || len(text) == 0 {
		return unreadable
	}
	return string(text)
}

func cutPrefixFold(s, prefix string) (after string, found bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return "", false
	}
	return s[len(prefix):], true
}
