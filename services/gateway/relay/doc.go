// Package relay is the gateway's side of the broker: what it asks the workers, what
// it tells them, and what arrives on its reply queue.
//
//   - the follower (package following) keeps up with the logs, and consumes the reply
//     queue; what is none of the logs' comes to dispatch (dispatch.go);
//   - the reporter tells the workers what happened to connections, one batch of
//     reports at a time (reporter.go).
//
// Questions go through the question queue, from the goroutine that has one
// (asker.go); the reply queue's consumer hands over the decisions. The other end of that
// conversation is the worker's package decisions.
//
// Relay's methods may be called concurrently.
package relay
