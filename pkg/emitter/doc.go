// Package emitter publishes events to Belfry's groups from a Go backend.
//
//	e, err := emitter.Open(emitter.Options{URL: "amqp://backend:secret@127.0.0.1:5672/"})
//	...
//	err = e.Emit(ctx, "jobs-status_changed", payload)
//
// Vocabulary:
//
//   - An event is a payload for one group. It has a message id, which stays the
//     same however often it is sent, so that it is delivered once.
//   - An event is settled when its outcome is told; until then it is pending.
//     Pending events stand in one buffer: those that were sent and wait for the
//     broker's confirm first, then those that were not sent yet.
//   - The courier is the one goroutine that sends. After a lost connection it
//     sends the whole unconfirmed part of the buffer again, in order, with the
//     same ids, before anything new. A refusal is never retried.
//   - The door is the loopback HTTP address on which a development Belfry
//     (`belfry dev`), which has no broker, takes events.
//
// A nil error from Emit means that the broker has confirmed the event: it is in
// the emit queue. An Emitter may be used by any number of goroutines; what one
// goroutine emits, one call after the other, keeps its order.
package emitter
