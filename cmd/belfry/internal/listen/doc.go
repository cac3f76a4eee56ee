// Package listen is a small client of Belfry's websocket: it subscribes to groups,
// prints each event, and reconnects when the connection ends.
//
// Vocabulary: an attempt is one connection, from its handshake to its end. A final
// error is one that every further attempt would get as well (the token is refused,
// no group is allowed). After any other error there is another attempt, after a
// growing pause with jitter, or when the gateway asked for it.
//
// Run belongs to one goroutine; it starts one for pings, which ends with it.
package listen
