// Package membus is RabbitMQ's twin in memory: the same semantics behind
// amqpbus.Bus, with nothing to install. Tests and the embedded mode run on it;
// bustest holds it to the contract.
//
// It has two floors.
//
//   - Core is the broker itself: exchanges, queues, bindings, taps (consumers).
//     It is synchronous and deterministic: no goroutine, no wall clock (time is
//     injected, and Advance lets it take effect), no map order. A lock makes it
//     safe for concurrent use.
//   - Broker puts links over a Core: Open gives an amqpbus.Bus whose publishers
//     confirm from a goroutine each and whose consumers block. Its other
//     methods are faults for tests: cuts, blocks, outages, held publishes, log
//     readers that are refused, unanswered or hang.
//
// What it keeps of the original: deliveries are pushed up to the prefetch, so
// that a consumer holds messages that it has not looked at; a single active
// consumer is followed by the next one in the order of consuming; what an ended
// consumer held goes back to its old place, marked redelivered; messages expire
// at a queue's head only; bounds count ready messages only; a publish that one
// of several queues refuses is refused, though the others have it; a restart
// loses transient messages.
//
// A log (Queue.Stream) keeps its entries in segments, as the original does: each
// begins with a chunk that takes an offset, whole ones are thrown away, and only
// when one is full. A reader beyond the end waits without a word. Core has what
// befalls logs: lost routes (HideLog), a lost end (LoseLogEnd), retention
// (TruncateLog), holes (LoseLogMiddle), readers that end or hang (EndReaders).
//
// What it does not keep: memory and disk alarms come from Block alone, quorum
// queues behave as classic ones, and permissions do not exist. Deliveries of
// one message to several queues share its body: nobody may change it.
package membus
