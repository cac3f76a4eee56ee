// Package hub holds all connections of a gateway and the groups that each of
// them is in. It puts the events that arrive from the relay into the outboxes of
// the groups' members.
//
// Vocabulary:
//
//   - A member is a connection in a group; a room is a group with its members.
//   - A chunk is the encoded frames of consecutive events of one group, joined
//     into one slice that the outboxes of all members share.
//   - A gap is events of a group that a connection may have missed, and the
//     notice that tells the client so.
//   - An owner is the connection's handler (package connection). The hub does not
//     close a connection itself; it asks the owner to.
//
// Concurrency: one lock guards the memberships, and everything that is put into an
// outbox is put there while that lock is held. Membership changes, their answers,
// events and gap notices therefore reach a client in one order. Sockets are written
// to after the lock is released; the one exception is an outbox about to overflow,
// which is flushed under the lock. All methods may be called concurrently, except
// Deliver, which belongs to one goroutine. Run must be running.
package hub
