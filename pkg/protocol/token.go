package protocol

import (
	"crypto/sha256"
	"encoding/hex"
)

// Token is a client's auth token. Every way of printing or marshalling it by
// accident gives a placeholder; Reveal is the one way to the text.
type Token struct{ text string }

const redacted = "[token]"

// NewToken wraps a token's text.
func NewToken(text string) Token { return Token{text: text} }

// Reveal returns the text. Only the connect question's encoder and the worker's
// authentication call it.
func (t Token) Reveal() string { return t.text }

// Empty reports that there is no token.
func (t Token) Empty() bool { return t.text == "" }

// Fingerprint is a one-way name of the token (128 bits of SHA-256, in
// hexadecimal) that caches may keep.
func (t Token) Fingerprint() string {
	sum := sha256.Sum256([]byte(t.text))
	return hex.EncodeToString(sum[:16])
}

// String implements fmt.Stringer without giving the token away.
func (t Token) String() string { return redacted }

// GoString implements fmt.GoStringer without giving the token away.
func (t Token) GoString() string { return redacted }

// MarshalText implements encoding.TextMarshaler without giving the token away.
func (t Token) MarshalText() ([]byte, error) { return []byte(redacted), nil }
