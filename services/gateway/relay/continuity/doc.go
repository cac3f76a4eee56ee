// Package continuity decides what of a gateway's reply queue is delivered, and
// when clients must be told that events may be missing (rules R2, R6, R7 and
// R10 of the architecture).
//
// Everything here is deterministic: no I/O, no goroutines, no clock but the
// times passed to Tick. Inputs are methods, what is to be done is returned as
// Effects. A Core is not safe for concurrent use.
//
// Vocabulary:
//
//   - The fence is the highest reign of a shard that was accepted. What comes
//     from a lower one is dropped, and its worker told (stale).
//   - Batches are numbered twice, direct ones and those of the flood. A number
//     that is missing is a hole; pulses show the holes at the tail.
//   - A route is lost from the moment the consuming link ends, or nothing was
//     heard of a shard for half the expiry of emits, until something numbered
//     of the accepted reign arrives.
//   - A gap is owed while the route is lost: it is declared when the route is
//     back, because only then is a reload complete. An early gap is declared
//     besides when that takes over five seconds.
//   - The clock stands still while the broker blocks, and a step of it is
//     bounded: silence that was our own proves nothing.
package continuity
