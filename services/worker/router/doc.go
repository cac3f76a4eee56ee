// Package router carries emits from a shard's queue to the gateways that have
// members of their groups, and keeps the promise that nothing is lost without
// a gap (rules R1 to R12 of the architecture).
//
// There are two halves.
//
// Core is the rules of one shard: deterministic, without I/O, goroutines or a
// clock of its own. Its inputs are methods (Deliver, Settled, Snapshot, Stale,
// Seen, Tick, Blocked, LinkLost, Drain), its outputs are values (Effects). A
// single-threaded simulation can drive it.
//
// Router is the driver: one goroutine per shard feeds a Core from an
// amqpbus.Consumer and does its effects on an amqpbus.Publisher. Both end
// together and are opened anew together: what one reign sends goes through one
// channel, in order. The driver also forwards foreign emits to their shards
// (with more than one shard), turns expired emits into gaps, says every two
// seconds that the worker is alive, and hands shards over to other workers.
//
// Vocabulary:
//
//   - The ledger holds the deliveries that are not acked, in queue order. One
//     is settled when nothing is pending for it; acks go through the settled
//     front of the ledger.
//   - A reign begins with the first delivery on a consumer, and floods (every
//     emit goes to all gateways) until its own mark comes through the queue.
//   - A flight is a publish that is not confirmed. What depends on it is
//     pending.
//   - A pile holds the emits that wait for a gateway's batches in the air.
//   - A gateway that a batch did not reach is lagging. Before an emit is acked
//     past it, a lost message in the shard's queue tells a successor; it is
//     sent nothing but probes (pulses) until one is confirmed, whose numbers
//     show it the hole.
//   - Worker time stands still while the broker blocks, and a step of it is
//     bounded: nobody is judged by silence that was our own.
package router
