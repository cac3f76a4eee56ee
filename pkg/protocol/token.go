package protocol

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
)

// Token is a client's auth token. Every way of printing or marshalling it by
// accident gives a placeholder; Reveal is the one way to the text.
// The text is behind a pointer, so that not even %+v of a struct that holds a
// token in an unexported field, where fmt calls no methods, prints it.
type Token struct{ text *string }

const redacted = "[token]"

// NewToken wraps a token's text.
func NewToken(text string) Token { return Token{text: &text} }

// Reveal returns the text. Only the connect question's encoder and the worker's
// authentication call it.
func (t Token) Reveal() string {
	if t.text == nil {
		return ""
	}
	return *t.text
}

// Empty reports that there is no token.
func (t Token) Empty() bool { return t.Reveal() == "" }

// Fingerprint is a one-way name of the token (128 bits of SHA-256, in
// hexadecimal) that caches may keep.
func (t Token) Fingerprint() string {
	sum := sha256.Sum256([]byte(t.Reveal()))
	return hex.EncodeToString(sum[:16])
}

// Format implements fmt.Formatter: no verb gives the token away.
func (t Token) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// String implements fmt.Stringer without giving the token away.
func (t Token) String() string { return redacted }

// GoString implements fmt.GoStringer without giving the token away.
func (t Token) GoString() string { return redacted }

// MarshalText implements encoding.TextMarshaler without giving the token away.
func (t Token) MarshalText() ([]byte, error) { return []byte(redacted), nil }
