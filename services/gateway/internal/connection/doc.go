// Package connection handles one client's connection from the handshake to the end:
// it asks a worker whether the token may connect, changes the subscriptions that the
// client asks for, and reports that the connection was opened, subscribed, closed.
//
// Vocabulary: a question is what a worker is asked through the Relay. The mailbox
// holds the client's messages that wait until the one before is answered.
//
//	connecting ──> open ──> draining ──> closed
//	     └──────────┴────────────────────^
//
// Messages come from package wsconn, to Receive, which does not block. A goroutine
// handles the messages in the mailbox, one at a time, and exists only while there are
// any. So a connection has one outstanding question, and its answers come in order. An
// idle connection has no goroutine and no timer: the hub's sweep notices that its token
// has ended.
//
// Conn.mu guards the state and the mailbox. It may be held while calling
// Relay.Report and wsconn, never while calling the hub.
package connection
