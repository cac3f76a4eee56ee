package protocol

// TypePresence is the message type of Presence, on belfry.reply.all.
const TypePresence = "presence"

// Presence is sent by every worker to all processes every two seconds.
type Presence struct {
	Worker WorkerID `json:"worker"`
	Bye    bool     `json:"bye,omitempty"`
	// Gateways are the broker users that the worker trusts as gateways; empty: not said.
	// Strangers are other broker users that have sent it messages.
	Gateways  []string `json:"gateways,omitempty"`
	Strangers []string `json:"strangers,omitempty"`
}
