// Package hub knows all connections of a gateway and who is in which group. It
// carries events from the relay to the sockets.
//
// Vocabulary:
//
//   - A member is a connection in a group; a room is a group with its members.
//   - A row is the frames of a run of events of one group, encoded once and
//     shared by the outboxes of all members.
//   - An owner is the connection's handler (package connection): the hub asks it to
//     close, and does not close by itself.
//
// Concurrency: one lock guards who is where, and everything that enters an
// outbox enters under it, so that membership changes, their answers, events
// and gap notices have one order. No socket is touched under it (but for an
// outbox that would overflow); the touched connections are flushed afterwards.
// All methods may be called concurrently, except that Deliver is called by one
// goroutine. Run must be running.
package hub
