// Package emitter publishes events to Belfry's groups from a Go backend.
//
//	e, err := emitter.Open(emitter.Options{URL: "amqp://backend:secret@127.0.0.1:5672/"})
//	...
//	err = e.Emit(ctx, "jobs-status_changed", payload)
//
// Vocabulary:
//
//   - An event is a payload for one group. Its message id stays the same when it is sent
//     again, so that it is delivered once.
//   - An event is pending until its outcome is known: confirmed, or an error. Then it is
//     settled, and the outcome is reported once. Pending events are in one buffer: first
//     those that were sent and wait for the broker's confirm, then those to be sent.
//   - The sender is the goroutine that sends the buffer. After a lost connection it sends
//     all unconfirmed events again, in order and with the same ids, before any new one. It
//     never sends an event again that the broker refused.
//   - The endpoint is the loopback HTTP address at which `belfry dev`, which has no broker,
//     accepts events.
//
// A nil error from Emit means that the broker has confirmed the event: it is in the emit
// queue. All methods may be called concurrently. Events that one goroutine emits, one call
// after the other, keep their order.
package emitter
