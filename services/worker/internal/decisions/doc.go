// Package decisions answers the gateways' questions: may this token open a
// connection, and which of these groups may it see? It also hands the reports
// about connections to package life, because they arrive in the same queue.
//
// Vocabulary: a question is a Connect or a Subscribe; its answer is a Decision
// on the reply queue of the gateway that asked. The identity is what a
// Decision gives the gateway to send along with every later question, so that
// any worker may answer it: whose the token is, never the token itself. The other
// end of the conversation is the gateway's relay (asker.go).
//
// Concurrency: one goroutine receives, and one for each message received waits
// for places for its questions; up to Options.Handlers goroutines decide
// at the same time, in no order, because a connection has one question
// outstanding. No more messages are received than questions can be decided, so
// one that waits can go to another worker; those that came in one message, a
// pack, stay together. A question has 5 s from its receipt. A message is acked
// when the answers to all its questions are confirmed, or cannot be given any
// more: the gateway's own deadline has passed by then. What is received and not
// acked when the link ends is delivered again, to this worker or to another.
// Answers to one gateway that wait for the broker at the same time are packed.
//
// A panic while deciding is recovered: the answer is that the worker is
// unavailable. Messages of users that are not gateways, and messages that
// cannot be understood, are parked in belfry.dead without their bodies, which
// may hold a token.
//
// The server opens its consumer again for ever, with back-off; Ready says when
// there is none.
package decisions
