// Package lead holds a worker's rules about one log: how it comes to lead it, reads
// it, and sends each gateway the events of its groups. It is a deterministic machine:
// inputs are method calls, what is to be done comes out of Effects. There is no
// clock, no goroutine and no I/O in it, and it is not for concurrent use.
//
// Vocabulary, beside that of pkg/eventlog:
//
//   - The baton is the message of the log's lead queue. Whoever holds one leads, for
//     as long as the channel on which it came is open. Two may believe so at a time;
//     gateways follow the higher term, and nothing depends on there being one.
//   - A reader is a consumer of the log. The main reader reads on for ever and waits
//     for nobody; catch-up readers bring feeds that stand behind it to where it is.
//   - top is the cursor of the last entry that the main reader has read, high that of
//     the highest entry ever seen.
//   - A peer is what the leader knows of one gateway: its feed, and its table, the
//     tags of its groups as of a revision.
//   - A reader carries a feed that stands exactly where the reader stands. A feed
//     is set down where its last closed batch ended, and another reader takes it up.
//   - A cut closes the batch in hand before the table changes: a batch is of one
//     revision.
package lead
