package protocol

// The control messages of a shard queue. They travel in the same queue as the
// emits, so that queue order says what a worker knew when it met an emit.

// Message types of a shard queue, all published to the interest exchange with
// the shard as routing key. Everything else in a shard queue is an emit.
const (
	TypeInterest  = "interest"  // Interest, by a gateway
	TypeHeartbeat = "heartbeat" // Heartbeat, by a gateway
	TypeBye       = "bye"       // Bye, by a gateway
	TypeMark      = "mark"      // Mark, by a worker
	TypeLost      = "lost"      // Lost, by a worker
)

// Stamp is on every control message of a gateway. Link counts the gateway's
// broker connections from 1, Revision the changes of its interest in this shard
// from 1 (0: nothing ever announced). A lower link, or an older revision of the
// same group, is ignored: late frames of a dead connection undo nothing.
type Stamp struct {
	Gateway  GatewayID `json:"gateway"`
	Link     uint64    `json:"link"`
	Revision uint64    `json:"revision"`
}

// Interest says which groups a gateway has its first, or no longer any, members
// of. One message is one revision.
type Interest struct {
	Stamp
	Join  []Group `json:"join,omitempty"`
	Leave []Group `json:"leave,omitempty"`
}

// Heartbeat repeats, every few seconds and after each new link, what a worker's
// table must hold for this gateway as of Revision: the number of groups and the
// exclusive or of their Digests.
type Heartbeat struct {
	Stamp
	Count  int    `json:"count"`
	Digest uint64 `json:"digest"`
}

// Bye withdraws everything: the gateway is stopping and will not speak again.
type Bye struct{ Stamp }

// Mark is a worker's own mark. Consuming it ends the flood of that epoch.
type Mark struct {
	Worker WorkerID `json:"worker"`
	Epoch  uint64   `json:"epoch"`
}

// Lost records that emits of this shard were acked although their batches did
// not reach a gateway's queue, so that a successor knows it too.
type Lost struct {
	Worker  WorkerID  `json:"worker"`
	Epoch   uint64    `json:"epoch"`
	Gateway GatewayID `json:"gateway"` // empty: every gateway
}
