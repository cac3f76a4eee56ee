// Package relay is the gateway's side of the broker: what it asks the workers,
// what it tells them of its groups, and what comes back on its reply queue.
//
// Three loops, each with one goroutine and its own channel to the broker:
//
//   - the announcer tells the shards which groups have members here, driven by
//     one interest.Core a shard (announcer.go, join.go);
//   - the receiver consumes the reply queue, driven by continuity.Core, and
//     hands events and gaps to the Sink (receiver.go, dispatch.go);
//   - the reporter tells the workers what happened to connections, one batch
//     outstanding (reporter.go).
//
// Questions go through the question queue, and are asked by whoever has them
// (asker.go); the receiver brings the decisions. The other end of that
// conversation is the worker's package decisions. A delivery is acked after the Sink has taken its events.
//
// Relay's methods may be called concurrently.
package relay
