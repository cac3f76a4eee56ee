package auth

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

// judge makes an identity of an introspection answer (RFC 7662 2.2).
func (i *Introspection) judge(claims map[string]any) (Identity, error) {
	if claims["active"] != true {
		return Identity{}, refused("it is not active")
	}
	now, leeway := i.options.Now(), i.options.Leeway
	begins, err := unixClaim(claims, "nbf")
	if err != nil {
		return Identity{}, err
	}
	if begins.After(now.Add(leeway)) {
		return Identity{}, refused("it is not valid yet")
	}
	expiry, err := unixClaim(claims, "exp")
	if err != nil {
		return Identity{}, err
	}
	if !expiry.IsZero() && !expiry.Add(leeway).After(now) {
		return Identity{}, refused("it has expired")
	}
	id, err := i.claims.read(claims)
	if err == nil && !expiry.IsZero() {
		id.Expires = ends(expiry, now, leeway)
	}
	return id, err
}

// unixClaim reads seconds since 1970, given as a number or as a string of one. It
// returns the zero time if the claim is absent, null or 0, which is how servers
// say that an active token has no such time.
func unixClaim(claims map[string]any, name string) (time.Time, error) {
	var text string
	switch v := claims[name].(type) {
	case nil:
		return time.Time{}, nil
	case json.Number:
		text = v.String()
	case string:
		text = v
	default:
		return time.Time{}, fmt.Errorf("read the introspection answer: %q is not a number of seconds", name)
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if math.IsNaN(seconds) || err != nil && !math.IsInf(seconds, 0) {
		return time.Time{}, fmt.Errorf("read the introspection answer: %q is not a number of seconds", name)
	}
	switch {
	case seconds == 0:
		return time.Time{}, nil
	case seconds >= float64(maxExpiry.Unix()):
		return maxExpiry, nil
	case seconds < 0:
		return time.Unix(-1, 0), nil // long ago
	}
	return time.Unix(int64(seconds), 0), nil
}
