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
//   - A shard is one part of the emit queue; a group belongs to exactly one.
//   - A reign is one worker's time as the active consumer of a shard; its number is the
//     epoch.
//   - A gateway's interest in a shard is the set of its groups there. Its revision counts
//     the changes of that set, and its link number the gateway's connections to the broker.
//
// The package imports only the standard library and exactjson, does no I/O and starts no
// goroutines. All functions may be called concurrently. A nil error from a decoder means
// that the whole input was understood and is within the limits.
package protocol
