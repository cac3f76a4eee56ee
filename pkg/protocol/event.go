package protocol

// MaxPayload is the largest payload of an emit in bytes.
const MaxPayload = 1 << 20

// Event is one emit on its way to a gateway.
type Event struct {
	Group   Group
	ID      string // the emitter's message id, or empty
	Trace   string // a W3C traceparent, or empty
	Payload []byte // reaches clients byte for byte
}
