// Package interest is what a gateway tells the workers of one shard: which
// groups it has members of (rules R3 and R4 of the architecture).
//
// Everything here is deterministic: no I/O, no goroutines, no clock but the
// times passed in. Inputs are methods, what is to be done is returned as
// values. A Core is not safe for concurrent use.
//
// Vocabulary:
//
//   - A reference is one member's claim to a group. A group with references is
//     routed here once its interest is confirmed; without any it lingers, so
//     that page navigation causes no traffic.
//   - To cut is to put waiting changes into one Interest message, which is one
//     revision. Nothing that was not cut was ever announced.
//   - A message is settled when the broker confirmed it. One that the broker
//     refused is sent again, with the same revision, until it is settled or a
//     newer revision says something else of each of its groups.
//   - A ticket stands for somebody who waits until groups are routed.
//   - A link is one opening of the publisher, counted from 1. What was not
//     settled on a lost link is announced again on the next, as new revisions.
package interest
