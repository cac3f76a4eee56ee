// Package connection is the life of one connection: from the question whether its
// token may come in, over its subscriptions, to the report that it is closed.
//
// Vocabulary: a question is what a worker is asked through the Relay; the
// mailbox holds a client's messages until the one before is answered; a report
// is what the relay publishes about a connection's life.
//
//	connecting ──> open ──> draining ──> closed
//	     └──────────┴────────────────────^
//
// The goroutine that calls Serve reads all the time, because pings, pongs and
// closes are only handled while somebody reads. Messages are worked on by a
// second goroutine that lives while the mailbox has any, one message at a time:
// so a connection has one outstanding question, and its answers come in order.
// An idle connection has no goroutine but the reading one, whose stack stays
// shallow, and no timer but that of its token's expiry.
//
// Conn.mu guards the state and the mailbox; it may be held while calling
// Relay.Report and wsconn, never while calling the hub.
package connection
