package auth

import "time"

// maxExpiry keeps times far away inside what unix milliseconds and timers can
// carry: the year 9999.
var maxExpiry = time.Unix(253402300799, 0)

// ends is when a connection whose token expires at expiry must end: then, or,
// where that is past already and only the leeway lets it in, at the leeway's end.
func ends(expiry, now time.Time, leeway time.Duration) time.Time {
	switch {
	case expiry.After(maxExpiry):
		return maxExpiry
	case expiry.After(now):
		return expiry
	}
	return expiry.Add(leeway)
}
