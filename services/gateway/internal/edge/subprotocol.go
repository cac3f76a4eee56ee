package edge

import (
	"encoding/base64"
	"strings"
)

// kubernetesToken begins the subprotocol that Kubernetes' clients put a token
// into, because a browser lets them set no header: the token follows in
// base64url. Kubernetes too takes it out of the list and agrees to another one.
const kubernetesToken = "base64url.bearer.authorization.k8s.io."

// tokenFollows are the subprotocols behind which browsers put the token itself,
// as the next one of the list.
var tokenFollows = []string{"bearer", "access_token"}

// fromProtocols divides the subprotocols that a client asks for (RFC 6455 4.1,
// 11.3.4) into tokens and others, and chooses the one to agree to: the first
// that is no token and no word that announces one, or else the first such word.
// A browser fails a connection whose server agrees to none; Belfry speaks the
// same whatever it is called.
func fromProtocols(lines []string) credentials {
	var c credentials
	var word string // that announced a token
	items := asked(lines)
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

// asked are the items of all lines.
func asked(lines []string) []string {
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

// isHTTPToken holds for what can be agreed to (RFC 9110 5.6.2).
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

// decodeToken reads base64url, also in the spelling of those who only take the
// padding off ordinary base64.
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
