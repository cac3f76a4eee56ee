package protocol

// The messages in reply queues other than decisions.

// Message types of a gateway's reply queue, from the worker that is active on a shard.
const (
	TypeAsk      = "ask"      // Ask: a new epoch has begun, or the worker's directory differs
	TypeBatch    = "batch"    // Batch (binary): events
	TypePulse    = "pulse"    // Pulse: the sequence numbers that must have arrived
	TypePresence = "presence" // Presence, on belfry.reply.all: a worker is alive
	TypeGap      = "gap"      // Gap: events of groups, or of a shard, were lost
)

// Message types of a worker's reply queue, from gateways.
const (
	TypeSnapshot = "snapshot" // Snapshot: the full interest of a gateway in a shard
	TypeStale    = "stale"    // Stale: another worker has a higher reign
)

// Reign identifies one worker's time as the active consumer of a shard. Reigns are ordered
// by epoch, then by worker. Gateways drop messages of a reign that is lower than the
// highest they have seen.
type Reign struct {
	Shard  int      `json:"shard"`
	Epoch  uint64   `json:"epoch"`
	Worker WorkerID `json:"worker"`
}

// Before reports whether r is lower than o. Both must be of the same shard.
func (r Reign) Before(o Reign) bool {
	if r.Epoch != o.Epoch {
		return r.Epoch < o.Epoch
	}
	return r.Worker < o.Worker
}

// Ask requests a snapshot of the gateway's interest in the shard.
type Ask struct{ Reign }

// Pulse says which sequence numbers the worker has sent last in this reign. A gateway that
// has not received them has missed batches.
type Pulse struct {
	Reign
	Direct   uint64 `json:"direct"`             // to this gateway
	Flood    uint64 `json:"flood"`              // to all gateways
	Flooding bool   `json:"flooding,omitempty"` // the flood has not ended
	// All is set on a pulse to belfry.reply.all, in which Direct has no meaning.
	All bool `json:"all,omitempty"`
	// Member says that this gateway is in the worker's directory.
	Member bool `json:"member,omitempty"`
}

// Presence is sent by every worker to all processes every two seconds.
type Presence struct {
	Worker WorkerID `json:"worker"`
	Shards []Reign  `json:"shards"` // the shards it is active on
	Bye    bool     `json:"bye,omitempty"`
	// Gateways are the broker users that the worker trusts as gateways; empty: not said.
	// Strangers are other broker users that have sent it messages.
	Gateways  []string `json:"gateways,omitempty"`
	Strangers []string `json:"strangers,omitempty"`
}

// Gap says that events of the listed groups were lost or, if Groups is empty, of all groups
// of the shard.
type Gap struct {
	Shard  int     `json:"shard"`
	Groups []Group `json:"groups,omitempty"`
}

// Snapshot is one part of a gateway's full interest in a shard as of its revision. A part
// has at most a few thousand groups. It answers an Ask, and thereby accepts its reign.
type Snapshot struct {
	Stamp
	Reign  Reign   `json:"reign"`
	Part   int     `json:"part"` // from 0
	Parts  int     `json:"parts"`
	Groups []Group `json:"groups"`
}

// Stale tells a worker that the gateway refused its message, because the gateway knows a
// higher reign of the shard.
type Stale struct {
	Gateway GatewayID `json:"gateway"`
	Refused Reign     `json:"refused"`
	Highest Reign     `json:"highest"`
}
