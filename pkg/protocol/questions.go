package protocol

import (
	"encoding/json"
	"fmt"
)

// The questions: what a gateway asks any worker through the session
// queue, and what that worker answers on the gateway's reply queue. The AMQP
// property `type` says which of them a body is.

// Message types of the question queue.
const (
	TypeConnect   = "connect"   // Connect: may this token open a connection?
	TypeSubscribe = "subscribe" // Subscribe: which of these groups may it see?
	TypeLife      = "life"      // Life: what happened to connections, to be published
)

// Message types of the answers on a gateway's reply queue.
const (
	TypeDecision = "decision" // Decision: answers Connect and Subscribe
	TypeNoted    = "noted"    // Noted: the Life batch is published
)

// QuestionID numbers a gateway's questions; it is never used again in that
// gateway's incarnation.
type QuestionID uint64

// Connect asks whether a token may open a connection. It travels transient and
// expiring, and is never dead-lettered, because it alone carries the token.
type Connect struct {
	Gateway  GatewayID
	Conn     ConnID
	Question QuestionID
	Token    Token
	Remote   string // the client's address, as far as proxies are trusted
}

type connectWire struct {
	Gateway  GatewayID  `json:"gateway"`
	Conn     ConnID     `json:"conn"`
	Question QuestionID `json:"question"`
	Token    string     `json:"token"`
	Remote   string     `json:"remote,omitempty"`
}

// Encode gives the body of a TypeConnect message. It reveals the token.
func (c Connect) Encode() []byte {
	return mustJSON(connectWire{c.Gateway, c.Conn, c.Question, c.Token.Reveal(), c.Remote})
}

// DecodeConnect reads a TypeConnect body. Its errors never quote the body.
func DecodeConnect(body []byte) (Connect, error) {
	var w connectWire
	if err := json.Unmarshal(body, &w); err != nil {
		return Connect{}, fmt.Errorf("decode connect: not the expected JSON (%d bytes)", len(body))
	}
	if w.Gateway == "" || w.Question == 0 {
		return Connect{}, fmt.Errorf("decode connect: gateway or question is missing")
	}
	return Connect{w.Gateway, w.Conn, w.Question, NewToken(w.Token), w.Remote}, nil
}

// Subscribe asks which groups a connection may see. Identity is what the worker
// returned with the accepting Decision, so that any worker may answer.
type Subscribe struct {
	Gateway  GatewayID       `json:"gateway"`
	Conn     ConnID          `json:"conn"`
	Question QuestionID      `json:"question"`
	Identity json.RawMessage `json:"session"`
	Groups   []Group         `json:"groups"`
}

// Verdict is a Decision's outcome.
type Verdict string

// The verdicts. VerdictUnavailable says that the worker could not find out in
// time (the application did not answer): nothing may be changed.
const (
	VerdictAccept      Verdict = "accept"
	VerdictRefuse      Verdict = "refuse"
	VerdictUnavailable Verdict = "unavailable"
)

// Decision answers a Connect (User, SID, Identity, Expires) or a Subscribe
// (Allowed, in the order asked; every group that it does not list is denied).
type Decision struct {
	Conn     ConnID          `json:"conn"`
	Question QuestionID      `json:"question"`
	Verdict  Verdict         `json:"verdict"`
	Reason   string          `json:"reason,omitempty"` // for the log; never a token
	User     json.RawMessage `json:"user,omitempty"`   // the id as the token carries it
	SID      string          `json:"sid,omitempty"`    // the login session that the token names
	Identity json.RawMessage `json:"session,omitempty"`
	Expires  int64           `json:"expires,omitempty"` // unix milliseconds; 0: does not expire
	Allowed  []Group         `json:"allowed,omitempty"`
}

// LifeKind is what happened to a connection or a gateway.
type LifeKind string

// The kinds. The first three are about one connection, and are published on
// belfry.events under `connection.` and the kind. LifeGatewayLost is about all
// connections of a gateway and is a routing key as it stands; its report names
// no connection.
const (
	LifeOpened      LifeKind = "opened"
	LifeSubscribed  LifeKind = "subscribed"
	LifeClosed      LifeKind = "closed"
	LifeGatewayLost LifeKind = "gateway.lost"
)

// LifeReport is one thing that happened to one connection, or the end of a gateway. ID is the message
// id under which it is published, the same when it is published again.
type LifeReport struct {
	ID       string          `json:"id"`
	Kind     LifeKind        `json:"kind"`
	Gateway  GatewayID       `json:"gateway"`
	Conn     ConnID          `json:"conn"`
	User     json.RawMessage `json:"user"`
	At       int64           `json:"at"` // unix milliseconds
	Remote   string          `json:"remote,omitempty"`
	Groups   []Group         `json:"groups,omitempty"`   // subscribed: the set now
	Code     CloseCode       `json:"code,omitempty"`     // closed
	Reason   string          `json:"reason,omitempty"`   // closed: the label of the close code's rule, or "lost"
	Duration int64           `json:"duration,omitempty"` // closed: milliseconds open
}

// Life carries reports in order. A gateway has one Life batch outstanding, and
// sends it again, with the same number, until a worker has noted it.
type Life struct {
	Gateway GatewayID    `json:"gateway"`
	Batch   uint64       `json:"batch"`
	Reports []LifeReport `json:"reports"`
}

// Noted answers a Life whose reports are all published and confirmed.
type Noted struct {
	Batch uint64 `json:"batch"`
}

// mustJSON encodes a struct of this package; none of them can fail.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("protocol: encode %T: %v", v, err))
	}
	return b
}

// Encode gives the JSON body of a message of this package.
func Encode[T Subscribe | Decision | Life | Noted | LifeReport | Interest | Heartbeat | Bye | Mark | Lost | Snapshot | Stale | Ask | Pulse | Presence | Gap | Disconnect](v T) []byte {
	return mustJSON(v)
}

// Decode reads the JSON body of a message of this package. The error names the
// message, never the body.
func Decode[T Subscribe | Decision | Life | Noted | LifeReport | Interest | Heartbeat | Bye | Mark | Lost | Snapshot | Stale | Ask | Pulse | Presence | Gap](body []byte) (T, error) {
	var v T
	if err := json.Unmarshal(body, &v); err != nil {
		var zero T
		return zero, fmt.Errorf("decode %T: not the expected JSON (%d bytes)", zero, len(body))
	}
	return v, nil
}
