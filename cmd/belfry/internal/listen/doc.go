// Package listen is a small client of Belfry's websocket: it subscribes to
// groups and prints what comes, and connects again when the connection ends.
//
// Vocabulary: an attempt is one connection, from its handshake to its end. A
// final error is one that another attempt would meet again (the token is
// refused, no group is allowed); after every other error there is another
// attempt, later and later, with jitter, or when the gateway said so.
//
// Run belongs to one goroutine; it starts one for pings, which ends with it.
package listen
