// Package tracing makes the spans of an event (emit, route, write) and sends them to a
// collector by OTLP over HTTP. It is the only package that imports OpenTelemetry.
//
// It is off unless a URL is configured: Open returns a nil Tracer then, every
// method of which does nothing and allocates nothing.
//
// Belfry starts no traces. It only makes spans for an event whose emitter sent a W3C
// traceparent with the sampled flag. So the emitter decides about sampling, and an event
// that is not sampled only costs the parsing of 55 bytes.
//
// A span contains the group's name (the part before the dash) and numbers. It does not
// contain the item, which may be a user's id, nor the payload, the message id, a user or a
// token.
//
// Nothing here blocks: spans wait in a bounded queue, and are dropped if the collector is
// away. Metrics count the spans that ended and those that were exported; the difference
// are spans that wait or were dropped. All methods may be called concurrently.
package tracing
