// Package logsim runs the machines of gateways and workers (services/gateway/follow,
// services/worker/lead) over a simulated broker, for hours of virtual time, under
// faults drawn from a seed. Nothing of the rules is written again here: what runs is
// what ships. The world has one thread and no clock but its own, so a seed replays
// to the letter.
//
// Rooms: stream.go (the log as the broker keeps it, and its readers), broker.go (lead
// queue, reply queues, what is refused, lost and doubled), node.go and gateway.go (workers and
// gateways: the machines and what performs their effects), browser.go (clients, and
// what they are owed), faults.go (what goes wrong, and when), world.go (time).
package logsim
