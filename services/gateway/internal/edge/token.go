package edge

import (
	"net/http"
	"net/url"
	"strings"

	"belfry/pkg/protocol"
)

// credentials are what a request carries to identify its user.
type credentials struct {
	// explicit are the tokens that the client put into this request on purpose: in
	// the query, in Authorization, in Sec-WebSocket-Protocol. A token that cannot
	// be decoded is listed as unreadable.
	explicit []string
	// cookie is the token from a cookie, or empty. Browsers also send cookies with
	// requests of other sites' pages.
	cookie string
	// subprotocol is the one to agree to; empty: none was asked for.
	subprotocol string
	// alone means that the client offered a token as its only subprotocol, so that
	// there is none to agree to.
	alone bool
}

// unreadable stands for an explicit token that cannot be decoded. It is refused,
// because no valid token contains its character.
const unreadable = "\x00"

// credentials collects the credentials of a request.
func (e *Edge) credentials(r *http.Request) credentials {
	c := fromProtocols(r.Header["Sec-Websocket-Protocol"])
	c.explicit = append(c.explicit, queryTokens(r.URL.RawQuery)...)
	for _, v := range r.Header["Authorization"] {
		scheme, credentials, _ := strings.Cut(v, " ")
		if strings.EqualFold(scheme, "Bearer") { // other schemes are not meant for Belfry
			c.explicit = append(c.explicit, strings.TrimSpace(credentials))
		}
	}
	c.cookie = e.cookieToken(r.Header["Cookie"])
	return c
}

// token returns the request's token. An explicit token wins over a cookie, which
// another application on the same host may have set. The same token in several
// places counts once, and an empty one does not count. Refusals never show a token.
func (e *Edge) token(c credentials) (protocol.Token, refusal, bool) {
	one := ""
	for _, t := range c.explicit {
		switch {
		case t == "":
		case !e.readable(t):
			return protocol.Token{}, badToken, true
		case one != "" && t != one:
			return protocol.Token{}, manyTokens, true
		default:
			one = t
		}
	}
	switch {
	case c.alone:
		return protocol.Token{}, loneProtocol, true
	case one != "":
	case c.cookie != "":
		one = c.cookie
	default:
		return protocol.Token{}, noToken, true
	}
	return protocol.NewToken(one), refusal{}, false
}

// ambient reports whether a cookie is the request's only token. Browsers add cookies by
// themselves, so another site's page may have caused the request.
func (c credentials) ambient() bool {
	for _, t := range c.explicit {
		if t != "" {
			return false
		}
	}
	return c.cookie != ""
}

// readable reports whether a token is not too long and has only printable ASCII
// characters other than the space.
func (e *Edge) readable(token string) bool {
	if len(token) > e.o.MaxToken {
		return false
	}
	for i := 0; i < len(token); i++ {
		if token[i] <= ' ' || token[i] >= 0x7f {
			return false
		}
	}
	return true
}

// queryTokens returns the values of the query parameter "token". Other parameters
// are not looked at, so that they may be malformed.
func queryTokens(query string) []string {
	var out []string
	for part := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(part, "=")
		if name, err := url.QueryUnescape(name); err != nil || name != "token" {
			continue
		}
		value, err := url.QueryUnescape(value)
		if err != nil {
			value = unreadable
		}
		out = append(out, value)
	}
	return out
}

// cookieToken looks for a token in the cookies named by Options.TokenCookies, in
// that order. If a name occurs several times, the first readable cookie is used:
// browsers send the one with the longest path first (RFC 6265 5.4). Unreadable
// cookies are skipped, because another application may have set them.
func (e *Edge) cookieToken(lines []string) string {
	for _, wanted := range e.o.TokenCookies {
		for _, line := range lines {
			for part := range strings.SplitSeq(line, ";") {
				name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
				if strings.TrimSpace(name) != wanted {
					continue
				}
				if t := plainCookie(strings.TrimSpace(value)); t != "" && e.readable(t) {
					return t
				}
			}
		}
	}
	return ""
}

// plainCookie removes Tower's quoting: `token=%22abc%22` contains abc. It returns
// an empty string if the value is malformed.
func plainCookie(value string) string {
	value, err := url.PathUnescape(unquote(value))
	if err != nil {
		return ""
	}
	return unquote(value)
}

func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}
