// Package sim is a deterministic simulation of the routing rules (R1 to R12 of
// the architecture): the real cores of gateways and workers (router.Core,
// continuity.Core, interest.Core) over a simulated broker, with injected time
// and schedules from a seed, all on one goroutine. The same seed gives the same
// run to the letter.
//
// What is real: every decision of the rules. What is imitated, as simply as it
// can be: the goroutines and links around the cores, the gateway's hub (a table
// of members), the browser (it gets frames at once, in order) and RabbitMQ:
//
//   - A wire is one direction of a connection: its frames arrive in order, each
//     as late as the schedule wants. A wire may be cut; what was on its way is
//     lost, or arrives later as a ghost.
//   - A queue has one active consumer. What it has not acked goes back to where
//     it stood when its channel ends, and to the next consumer.
//   - A publish is stored and confirmed, refused by a full queue, or returned.
//   - A process may be frozen (its wires wait), killed, cut off, handed over.
//
// The account holds what every connection is owed, and judges:
//
//   - I1: an event whose publish began after the subscribe answer, and that was
//     confirmed to its publisher, arrives once, or a gap of its group is
//     declared after its publish began, or the connection was closed. What is
//     not there when the browser itself leaves a group is owed no longer.
//   - I2: for each publisher and group, events arrive in the order published,
//     unless a gap was declared in between. An event that was published before
//     the membership, and arrives all the same, is not judged; of one that was
//     published again after a lost link, either place in the queue is right.
//   - I3: no event of a group before its answer, or after the answer that left it.
//
// Of every two schedules one has many faults, to see them meet, and one has few,
// because gaps excuse much. In a run without faults, and in one with nothing but orderly hand-overs, not
// one gap or duplicate may be seen: a gap is no cheap way out.
//
//	BELFRY_TEST_SIM_SEED=17        replays one schedule and tells its story
//	BELFRY_TEST_SIM_SCHEDULES=N    runs N schedules that were never run before,
//	                               instead of the same 5,000 (make simulate)
package sim
