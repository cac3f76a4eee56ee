// Package protocol holds the words that Belfry's processes and clients speak:
// groups, the client's messages and their answers, close codes, and the
// messages that gateways and workers exchange through the broker.
//
// Vocabulary:
//
//   - A group is what is emitted to and subscribed to: `<name>-<item>`.
//   - An event is a payload on its way to the members of a group.
//   - A login session is a user's session with the application, named by the token.
//   - A gateway owns sockets; its id is `<name>.<incarnation>`.
//   - A worker owns decisions and routes; its id has the same form.
//   - A shard is one part of the emit queue; a group belongs to exactly one.
//   - An epoch numbers the reigns of the workers over a shard.
//   - A link numbers a gateway's connections to the broker, a revision the
//     changes of its interest in a shard.
//
// The package uses the standard library and exactjson only, does no I/O, starts no
// goroutine, and every function in it may be called concurrently. A nil error
// from a decoder means that the whole input was understood and is in bounds.
package protocol
