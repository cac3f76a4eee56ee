package protocol

// What arrives in reply queues besides decisions.

// Message types of a gateway's reply queue, from the worker active on a shard.
const (
	TypeAsk      = "ask"      // Ask: a new epoch began, or the worker's table differs
	TypeBatch    = "batch"    // Batch (binary): events
	TypePulse    = "pulse"    // Pulse: the numbers that must have arrived
	TypePresence = "presence" // Presence, on belfry.reply.all: a worker is alive
	TypeGap      = "gap"      // Gap: events of groups, or of a shard, were lost
)

// Message types of a worker's reply queue, from gateways.
const (
	TypeSnapshot = "snapshot" // Snapshot: the full interest of a gateway in a shard
	TypeStale    = "stale"    // Stale: you are fenced, and by whom
)

// Reign names one worker's time over a shard. Reigns are ordered by epoch, then
// by worker. Gateways drop what comes from a lower reign than the highest seen.
type Reign struct {
	Shard  int      `json:"shard"`
	Epoch  uint64   `json:"epoch"`
	Worker WorkerID `json:"worker"`
}

// Before reports whether r is lower than o; both are of the same shard.
func (r Reign) Before(o Reign) bool {
	if r.Epoch != o.Epoch {
		return r.Epoch < o.Epoch
	}
	return r.Worker < o.Worker
}

// Ask requests a snapshot of the gateway's interest in the shard.
type Ask struct{ Reign }

// Pulse says which numbers the worker has sent in this reign: to this gateway
// directly, and to all in the flood. A gateway that has not seen them has a
// hole. Flooding says that the flood goes on.
type Pulse struct {
	Reign
	Direct   uint64 `json:"direct"`
	Flood    uint64 `json:"flood"`
	Flooding bool   `json:"flooding,omitempty"`
	// All is set on a pulse to belfry.reply.all, whose Direct means nothing.
	All bool `json:"all,omitempty"`
	// Member says that the worker's directory has this gateway.
	Member bool `json:"member,omitempty"`
}

// Presence is what every worker sends to all every two seconds.
type Presence struct {
	Worker WorkerID `json:"worker"`
	Shards []Reign  `json:"shards"` // the shards it is active on
	Bye    bool     `json:"bye,omitempty"`
	// Gateways are the broker users whose messages it takes as a gateway's; empty:
	// it does not say. Strangers are those that spoke to it and are none of them.
	Gateways  []string `json:"gateways,omitempty"`
	Strangers []string `json:"strangers,omitempty"`
}

// Gap says that events were lost. Groups lists them; where it is empty, the gap
// is for the whole shard.
type Gap struct {
	Shard  int     `json:"shard"`
	Groups []Group `json:"groups,omitempty"`
}

// Snapshot is a gateway's full interest in a shard as of its revision, in
// Parts parts of at most a few thousand groups. It answers an Ask, and so
// accepts its reign.
type Snapshot struct {
	Stamp
	Reign  Reign   `json:"reign"`
	Part   int     `json:"part"` // from 0
	Parts  int     `json:"parts"`
	Groups []Group `json:"groups"`
}

// Stale tells a worker that a gateway knows a higher reign than the one it was
// addressed with.
type Stale struct {
	Gateway GatewayID `json:"gateway"`
	Refused Reign     `json:"refused"`
	Highest Reign     `json:"highest"`
}
