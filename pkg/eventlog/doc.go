// Package eventlog holds what gateways and workers share about the log: a
// RabbitMQ stream that keeps the events of one shard for a while, numbers them,
// and can be read from any number by anybody.
//
// Vocabulary:
//
//   - An entry is one message of the stream. Its offset is the broker's number
//     (header x-stream-offset). Offsets rise; a step of two is the broker's own
//     (each segment begins with an internal chunk), a larger one is a hole.
//   - A position is an offset and an index: the index counts the events of a
//     packed entry. An entry ends at index LastIndex.
//   - A cursor names an entry: its offset and a fingerprint of its content. A
//     stream that lost its end uses offsets again, and the fingerprint tells.
//   - A mark is an entry that is no event: a leader writes it to learn where the
//     end of the log is, and that its reader lives.
//   - The leader of a log is the worker that reads it and sends each gateway the
//     events of its groups. Its term orders it among all leaders of the log.
//   - A feed is one uninterrupted run of a leader's batches to one gateway.
//   - A gateway's revision numbers the changes of its interest in a log; a tag
//     stands for a group in them.
//
// Everything here is a value; nothing does I/O or knows the time.
package eventlog
