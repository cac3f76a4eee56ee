// Package following drives a gateway's machine of the logs (package follow) over the
// bus: it brings it what happens, and does what it wants done. It holds no rule.
//
// One goroutine owns the machine (driver.go, perform.go). Connections leave what they
// want in its inbox and wait for the answer (connections.go). Another consumes the reply
// queue (replies.go): it hands messages over and waits until their events are in the
// outboxes, before it acks them. What the machine sends goes through a sender with a goroutine of its
// own, so a broker that takes nothing keeps no event from a client.
package following
