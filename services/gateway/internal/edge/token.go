package edge

import (
	"net/http"
	"net/url"
	"strings"

	"belfry/pkg/protocol"
)

// credentials are what a request carries to show whose it is.
type credentials struct {
	// explicit are the tokens that somebody put there for this request: in the
	// query, in Authorization, in Sec-WebSocket-Protocol. One that cannot be
	// read is there as such.
	explicit []string
	// cookie is the token of the first cookie that holds one; empty: none does.
	// A browser sends it also for a foreign page.
	cookie string
	// subprotocol is the one to agree to; empty: none was asked for.
	subprotocol string
	// alone: a token was asked for as a subprotocol, and nothing beside it that
	// could be agreed to.
	alone bool
}

// unreadable stands for an explicit token that cannot be read. No token has it.
const unreadable = "\x00"

// credentials collects all that the request carries.
func (e *Edge) credentials(r *http.Request) credentials {
	c := fromProtocols(r.Header["Sec-Websocket-Protocol"])
	c.explicit = append(c.explicit, queryTokens(r.URL.RawQuery)...)
	for _, v := range r.Header["Authorization"] {
		scheme, credentials, _ := strings.Cut(v, " ")
		if strings.EqualFold(scheme, "Bearer") { // another scheme's credentials are not for us
			c.explicit = append(c.explicit, strings.TrimSpace(credentials))
		}
	}
	c.cookie = e.cookieToken(r.Header["Cookie"])
	return c
}

// token is the request's one token. An explicit one wins over the cookie's,
// which other applications of the same host may have set; the same one in
// several places is one; an empty one is none. Refusals never show it.
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

// ambient reports that only a cookie may say whose the request is.
func (c credentials) ambient() bool {
	for _, t := range c.explicit {
		if t != "" {
			return false
		}
	}
	return c.cookie != ""
}

// readable holds for a token of bounded length, in ASCII without spaces and
// control characters.
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

// queryTokens are the values of the parameter token. What else is in the query,
// well written or not, is another's.
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

// cookieToken is the token of the first cookie that is named in the options, in
// their order, and holds one. Of cookies of one name the first counts: it is
// that of the longest path (RFC 6265 5.4). One that cannot be read is passed
// over: another application may have set it.
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

// plainCookie undoes Tower's quoting: `token=%22abc%22` holds abc. What cannot
// be undone is empty.
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
