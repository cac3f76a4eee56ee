// Package leading drives a worker's machines of the logs (package lead) over the bus:
// it brings them what happens, and does what they want done. It holds no rule.
//
//   - Each log has one goroutine, which owns its lead.Machine and its lead.Filler
//     (log.go, perform.go). Others leave things in its inbox; what readers bring
//     comes through a channel, so that a reader waits for the machine.
//   - A turn is one life of a publisher and of a consumer of the lead queue, which
//     end together: who cannot send does not lead (turn.go).
//   - A reading is one reader of the log, with a goroutine and a connection to the
//     broker of its own (reading.go).
//   - The worker's reply queue is consumed once for all logs (replies.go).
//
// The end of a turn is the end of leading, whatever ended it. A worker that stops
// ends its turns: the broker hands the batons to the next, which goes on where the
// gateways are.
package leading
