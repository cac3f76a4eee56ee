// Package relay is the gateway's side of the broker: what it asks the workers, what
// it tells them about its groups, and what arrives on its reply queue.
//
// Each of three loops has one goroutine and its own channel to the broker:
//
//   - the announcer tells the shards which groups have members here, driven by
//     one interest.Core for each shard (announcer.go, join.go);
//   - the receiver consumes the reply queue, driven by continuity.Core, and
//     passes events and gaps to the Sink (receiver.go, dispatch.go);
//   - the reporter tells the workers what happened to connections, one batch of
//     reports at a time (reporter.go).
//
// Questions go through the question queue, from the goroutine that has one
// (asker.go); the receiver delivers the decisions. The other end of that
// conversation is the worker's package decisions. A delivery is acked after the Sink
// has accepted its events.
//
// Relay's methods may be called concurrently.
package relay
