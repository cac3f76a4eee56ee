package auth

import "time"

// maxExpiry keeps times far away inside what unix milliseconds and timers can
// carry: the year 9999.
var maxExpiry = time.Unix(253402300799, 0)

// ends returns when a connection must be closed whose token expires at expiry. If
// that has passed already, and the token is accepted only thanks to the leeway, it
// is the end of the leeway.
func ends(expiry, now time.Time, leeway time.Duration) time.Time {
	switch {
	case expiry.After(maxExpiry):
		return maxExpiry
	case expiry.After(now):
		return expiry
	}
	return expiry.Add(leeway)
}
