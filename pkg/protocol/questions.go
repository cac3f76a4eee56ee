package protocol

import (
	"encoding/json"
	"fmt"
)

// Questions that a gateway sends to any worker through the question queue, and the answers
// that it gets in its reply queue. The AMQP property `type` says which message a body is.

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

// QuestionID is the number of a question. A gateway never uses one twice in an incarnation.
type QuestionID uint64

// Connect asks whether a token may open a connection. It is the only message with the
// token, so it is sent transient and with an expiration, and is never dead-lettered.
type Connect struct {
	Gateway  GatewayID
	Conn     ConnID
	Question QuestionID
	Token    Token
	Remote   string // the client's address, according to trusted proxies
}

type connectWire struct {
	Gateway  GatewayID  `json:"gateway"`
	Conn     ConnID     `json:"conn"`
	Question QuestionID `json:"question"`
	Token    string     `json:"token"`
	Remote   string     `json:"remote,omitempty"`
}

// Encode returns the body of a TypeConnect message, which contains the token.
func (c Connect) Encode() []byte {
	return mustJSON(connectWire{c.Gateway, c.Conn, c.Question, c.Token.Reveal(), c.Remote})
}

// DecodeConnect decodes a TypeConnect body. Its errors never quote the body.
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

// Subscribe asks which groups a connection may see. Identity is the one from the Decision
// that accepted the connection, so that any worker can answer.
type Subscribe struct {
	Gateway  GatewayID       `json:"gateway"`
	Conn     ConnID          `json:"conn"`
	Question QuestionID      `json:"question"`
	Identity json.RawMessage `json:"session"`
	Groups   []Group         `json:"groups"`
}

// Verdict is the outcome of a question.
type Verdict string

// The verdicts. VerdictUnavailable says that the worker could not find out in time, for
// example because the application did not answer; then nothing may change.
const (
	VerdictAccept      Verdict = "accept"
	VerdictRefuse      Verdict = "refuse"
	VerdictUnavailable Verdict = "unavailable"
)

// Decision answers a Connect, with User, SID, Identity and Expires, or a Subscribe, with
// Allowed, in the order of the question. A group that Allowed does not list is denied.
type Decision struct {
	Conn     ConnID          `json:"conn"`
	Question QuestionID      `json:"question"`
	Verdict  Verdict         `json:"verdict"`
	Reason   string          `json:"reason,omitempty"` // for the log; never contains a token
	User     json.RawMessage `json:"user,omitempty"`   // the user's id as the token has it
	SID      string          `json:"sid,omitempty"`    // the login session that the token names
	Identity json.RawMessage `json:"session,omitempty"`
	Expires  int64           `json:"expires,omitempty"` // Unix time in ms; 0: never
	Allowed  []Group         `json:"allowed,omitempty"`
}

// LifeKind says what happened to a connection or a gateway.
type LifeKind string

// The kinds. Reports of the first three are about one connection; the routing key on
// belfry.events is `connection.` and the kind. A report of LifeGatewayLost is about all
// connections of a gateway, names none, and has the kind itself as its routing key.
const (
	LifeOpened      LifeKind = "opened"
	LifeSubscribed  LifeKind = "subscribed"
	LifeClosed      LifeKind = "closed"
	LifeGatewayLost LifeKind = "gateway.lost"
)

// LifeReport says what happened to one connection, or that a gateway was lost.
type LifeReport struct {
	ID       string          `json:"id"` // the message id, the same if it is published again
	Kind     LifeKind        `json:"kind"`
	Gateway  GatewayID       `json:"gateway"`
	Conn     ConnID          `json:"conn"`
	User     json.RawMessage `json:"user"`
	At       int64           `json:"at"` // Unix time in ms
	Remote   string          `json:"remote,omitempty"`
	Groups   []Group         `json:"groups,omitempty"`   // subscribed: the new set
	Code     CloseCode       `json:"code,omitempty"`     // closed
	Reason   string          `json:"reason,omitempty"`   // closed: the label of the close code's rule, or "lost"
	Duration int64           `json:"duration,omitempty"` // closed: how long it was open, in ms
}

// Life carries a batch of reports, in order. A gateway has at most one batch outstanding
// and sends it again, with the same number, until a worker answers with Noted.
type Life struct {
	Gateway GatewayID    `json:"gateway"`
	Batch   uint64       `json:"batch"`
	Reports []LifeReport `json:"reports"`
}

// Noted says that all reports of a Life batch are published and confirmed.
type Noted struct {
	Batch uint64 `json:"batch"`
}

// mustJSON encodes a struct of this package. Encoding these cannot fail.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("protocol: encode %T: %v", v, err))
	}
	return b
}

// Encode returns the JSON body of a message of this package.
func Encode[T Subscribe | Decision | Life | Noted | LifeReport | Presence | Disconnect](v T) []byte {
	return mustJSON(v)
}

// Decode decodes the JSON body of a message of this package. The error names the message's
// type and never quotes the body.
func Decode[T Subscribe | Decision | Life | Noted | LifeReport | Presence](body []byte) (T, error) {
	var v T
	if err := json.Unmarshal(body, &v); err != nil {
		var zero T
		return zero, fmt.Errorf("decode %T: not the expected JSON (%d bytes)", zero, len(body))
	}
	return v, nil
}
