// Package tracing is the one room that knows OpenTelemetry. It makes the spans
// of an event's way, emit -> route -> write, and sends them to a collector by
// OTLP over HTTP.
//
// It is off unless a URL is configured: Open returns a nil Tracer then, every
// method of which does nothing and allocates nothing.
//
// Belfry begins no trace. A span is made for an event whose emitter sent a W3C
// traceparent with the sampled flag, and for no other; so the emitter's
// sampling is everybody's, and what is not sampled costs the reading of 55
// bytes.
//
// What is in a span: the part of the group before the dash (the family), and
// numbers. The item is not, because items hold users' ids; nor the payload, the
// message id, a user or a token, ever.
//
// Nothing here blocks: spans wait in a bounded queue and are dropped when the
// collector is away. Metrics count what ended and what was exported; the
// difference is what waits or was dropped. All methods may be called
// concurrently.
package tracing
