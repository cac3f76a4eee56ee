// Package logmodel is a small model of the rules of the log (docs/log.md): one log, two
// workers, two gateways, two groups and two clients that resume. A state is one
// comparable value, and every step that is possible in it is tried: all of them one after
// the other from the first state on, within a budget of what may go wrong (breadth.go), or one
// drawn at random, for long (random.go). After it everything must come right in a fair
// schedule without faults (settle.go).
//
// The model is for the rules as the simulation (e2e/logsim) is for the programs: a change
// of the rules is tried here before it is built. What it leaves out: time, bytes, packs,
// several logs, fillings in parts. `make model` runs it, with errors planted in the
// rules (plants.go), each of which must be found.
//
// What must hold (broken panics with the first that does not):
//
//   - a member gets every event behind its answer once, or is told of a gap, and of none
//     without a reason;
//   - in the order of the log;
//   - nothing of a group that it is not a member of, and no copy.
package logmodel
