// Package follow holds a gateway's rules about the logs: how it comes to have
// every event of its groups once and in order, and when it must say that it may
// not. It is one deterministic machine: inputs are method calls, what is to be done
// comes out of Effects. There is no clock, no goroutine and no I/O in it, and it is
// not for concurrent use.
//
// The one idea: a gateway covers a log up to a cursor. A batch (From, To] of
// interest revision Rev holds every event between two entries that belongs to the
// groups which the gateway had at its revision Rev. It is taken when From is not
// behind the covered cursor, Rev is not older than what was applied, and its feed
// is the present one. Events behind the covered cursor are delivered, then the
// cursor moves to To. A group becomes active by taking a batch whose Rev is not older
// than its join, and in no other way. Who leads the log, how many do, and what was
// lost, doubled, delayed or refused decides when that happens, never what is
// delivered.
//
// Vocabulary, beside that of pkg/eventlog:
//
//   - covered: the cursor up to which everything was delivered.
//   - lag: how many entries the leader knows of behind covered.
//   - a group is joining until its interest is known to have been applied, then
//     active; without members it lingers, and then it is left.
//   - a connection that resumes is catching up on a log until it has what it missed;
//     until then no live event of that log goes to it.
//   - a window holds the last events of a log, for connections that were away for a
//     moment; what it does not hold is filled in by a worker.
package follow
