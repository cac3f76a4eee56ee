package protocol

// CloseCode is a websocket close code (RFC 6455 7.4) that Belfry sends.
type CloseCode int

// The codes that Belfry sends. 1002, 1003, 1007 and 1009 say that the client violated the
// protocol; 4xxx are Belfry's own (RFC 6455 7.4.2, private use).
const (
	CloseGoingAway    CloseCode = 1001
	CloseProtocol     CloseCode = 1002
	CloseBinary       CloseCode = 1003
	CloseInvalidUTF8  CloseCode = 1007
	CloseTooBig       CloseCode = 1009
	CloseInternal     CloseCode = 1011
	CloseTryLater     CloseCode = 1013
	CloseToken        CloseCode = 4401
	CloseDisconnected CloseCode = 4403
	CloseTooSlow      CloseCode = 4408
	CloseRate         CloseCode = 4429
)

// MaxCloseReason is the longest close reason in bytes: a control frame's payload has at
// most 125, two of which are the code (RFC 6455 5.5).
const MaxCloseReason = 123

// CloseRule is one row of the table of close codes: what the gateway sends, and what the
// client should do.
type CloseRule struct {
	Code      CloseCode
	Reason    string // sent with the code; a drain may send retry_after_ms instead
	Label     string // the value of the metric label `reason`
	Reconnect bool   // the client should reconnect, with back-off
	NewToken  bool   // the client must get a new token first
}

// CloseRules is the table of close codes. Reconnect is false if the client would make the
// same mistake again, and for 4403.
var CloseRules = []CloseRule{
	{Code: CloseGoingAway, Reason: "going away", Label: "going_away", Reconnect: true},
	{Code: CloseProtocol, Reason: "protocol error", Label: "protocol_error"},
	{Code: CloseBinary, Reason: "text frames only", Label: "binary"},
	{Code: CloseInvalidUTF8, Reason: "invalid UTF-8", Label: "invalid_utf8"},
	{Code: CloseTooBig, Reason: "message too big", Label: "too_big"},
	{Code: CloseInternal, Reason: "internal error", Label: "internal_error", Reconnect: true},
	{Code: CloseTryLater, Reason: "events are unavailable, try again later", Label: "unavailable", Reconnect: true},
	{Code: CloseToken, Reason: "token refused or expired", Label: "token", Reconnect: true, NewToken: true},
	{Code: CloseDisconnected, Reason: "disconnected by the server", Label: "disconnected"},
	{Code: CloseTooSlow, Reason: "too slow", Label: "too_slow", Reconnect: true},
	{Code: CloseRate, Reason: "too many messages", Label: "rate", Reconnect: true},
}

// Rule returns the code's row; ok is false for a code that Belfry never sends.
func (c CloseCode) Rule() (rule CloseRule, ok bool) {
	for _, r := range CloseRules {
		if r.Code == c {
			return r, true
		}
	}
	return CloseRule{}, false
}
