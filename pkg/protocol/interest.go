package protocol

// The control messages of a shard queue. They are in the same queue as the emits, so that
// their order says which interest a worker knows of when it receives an emit.

// Message types of a shard queue, published to the interest exchange with the shard as
// routing key. A message of any other type in a shard queue is an emit.
const (
	TypeInterest  = "interest"  // Interest, by a gateway
	TypeHeartbeat = "heartbeat" // Heartbeat, by a gateway
	TypeBye       = "bye"       // Bye, by a gateway
	TypeMark      = "mark"      // Mark, by a worker
	TypeLost      = "lost"      // Lost, by a worker
)

// Stamp is part of every control message of a gateway. Link counts the gateway's
// connections to the broker from 1; Revision counts the changes of its interest in this
// shard from 1 (0: nothing was ever announced). Workers ignore a message of a lower link,
// and a change of a group with an older revision, so that messages which arrive late from a
// lost connection undo nothing.
type Stamp struct {
	Gateway  GatewayID `json:"gateway"`
	Link     uint64    `json:"link"`
	Revision uint64    `json:"revision"`
}

// Interest says which groups have got their first member on a gateway (Join) or lost their
// last (Leave). One message is one revision.
type Interest struct {
	Stamp
	Join  []Group `json:"join,omitempty"`
	Leave []Group `json:"leave,omitempty"`
}

// Heartbeat says, every few seconds and after each new link, what the worker's directory
// must contain for this gateway as of Revision: the number of groups and the exclusive or
// of their Digests.
type Heartbeat struct {
	Stamp
	Count  int    `json:"count"`
	Digest uint64 `json:"digest"`
}

// Bye withdraws all interest: the gateway is stopping and sends nothing more.
type Bye struct{ Stamp }

// Mark is a message from a worker to itself. Consuming it ends the flood of that epoch.
type Mark struct {
	Worker WorkerID `json:"worker"`
	Epoch  uint64   `json:"epoch"`
}

// Lost says that a worker acked emits of this shard although their batches did not reach a
// gateway's queue. It is in the shard queue, so that the next worker knows it too.
type Lost struct {
	Worker  WorkerID  `json:"worker"`
	Epoch   uint64    `json:"epoch"`
	Gateway GatewayID `json:"gateway"` // empty: every gateway
}
