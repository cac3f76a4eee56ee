// Package protocol defines what Belfry's processes and clients exchange: groups, the
// clients' messages and their answers, close codes, and the messages between gateways and
// workers. It has their types, limits, encoders and decoders.
//
// Vocabulary:
//
//   - A group is what backends emit to and clients subscribe to: `<name>-<item>`.
//   - An event is a payload on its way to the members of a group.
//   - A login session is a user's session with the application, named by the token.
//   - A gateway holds the clients' websockets. Its id is `<name>.<incarnation>`.
//   - A worker answers questions and routes events. Its id has the same form.
//   - A shard is a part of all groups; a group belongs to exactly one.
//
// The package imports only the standard library and exactjson, does no I/O and starts no
// goroutines. All functions may be called concurrently. A nil error from a decoder means
// that the whole input was understood and is within the limits.
package protocol
