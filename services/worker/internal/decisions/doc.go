// Package decisions answers the gateways' questions: may this token open a
// connection, and which of these groups may it see? Reports about connections
// arrive in the same queue; it passes them to package life.
//
// Vocabulary: a question is a Connect or a Subscribe; its answer is a Decision
// on the reply queue of the gateway that asked. The identity is what a
// Decision gives the gateway to send along with every later question, so that
// any worker may answer it: whose the token is, never the token itself. The other
// end of the conversation is the gateway's relay (asker.go).
//
// Concurrency: one goroutine receives messages. Each message has a goroutine that waits
// for a free handler for each of its questions (a pack contains several). Up to
// Options.Handlers goroutines decide at the same time, in no particular order, because a
// connection has at most one outstanding question. The prefetch is the number of
// handlers, so that other workers get the messages that this one could not handle yet.
// A question has 5 s from its receipt.
//
// A message is acked when the answers to all its questions are confirmed, or when it is
// too late for them, because the gateway has given up. Messages that are not acked when
// the link ends are delivered again, to this worker or another. Answers to one gateway
// that wait for the broker at the same time are packed.
//
// A panic while deciding is recovered; the answer is then that the worker is unavailable.
// Messages from broker users that are not gateways', and messages that cannot be decoded,
// are parked in belfry.dead without their bodies, which may contain a token.
//
// If the consumer is lost, the server opens a new one, with back-off, until it succeeds.
// Ready says when there is none.
package decisions
