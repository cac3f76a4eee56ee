package edge

import (
	"net/http"
	"net/url"
	"strings"

	"belfry/pkg/protocol"
)

// token finds the request's one token: `?token=`, `Authorization: Bearer`, or
// the cookie `token` in Tower's form, URL-quoted and perhaps in double quotes.
// The same token in several places is one. Errors never show it.
func (e *Edge) token(r *http.Request) (protocol.Token, refusal, bool) {
	found, ok := tokens(r)
	if !ok {
		return protocol.Token{}, badToken, true
	}
	var one string
	for _, t := range found {
		switch {
		case t == "":
		case len(t) > e.o.MaxToken || !printable(t):
			return protocol.Token{}, badToken, true
		case one != "" && t != one:
			return protocol.Token{}, manyTokens, true
		default:
			one = t
		}
	}
	if one == "" {
		return protocol.Token{}, noToken, true
	}
	return protocol.NewToken(one), refusal{}, false
}

// tokens collects all that the request carries; ok is false when one of them
// cannot be read.
func tokens(r *http.Request) (found []string, ok bool) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, false
	}
	found = append(found, query["token"]...)
	for _, v := range r.Header["Authorization"] {
		scheme, credentials, _ := strings.Cut(v, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			continue // another scheme's credentials are not for us
		}
		found = append(found, strings.TrimSpace(credentials))
	}
	for _, line := range r.Header["Cookie"] {
		for part := range strings.SplitSeq(line, ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
			if name != "token" {
				continue
			}
			t, ok := cookieToken(value)
			if !ok {
				return nil, false
			}
			found = append(found, t)
		}
	}
	return found, true
}

// cookieToken undoes Tower's quoting: `token=%22abc%22` holds abc.
func cookieToken(value string) (token string, ok bool) {
	value = unquote(value)
	value, err := url.PathUnescape(value)
	if err != nil {
		return "", false
	}
	return unquote(value), true
}

func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// printable holds for ASCII without spaces and control characters.
func printable(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// ambient reports that the token comes only from a cookie, which a browser
// sends also for a foreign page.
func ambient(r *http.Request) bool {
	if r.URL.Query().Get("token") != "" {
		return false
	}
	for _, v := range r.Header["Authorization"] {
		if scheme, _, _ := strings.Cut(v, " "); strings.EqualFold(scheme, "Bearer") {
			return false
		}
	}
	return len(r.Header["Cookie"]) > 0
}
