package protocol

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
)

// Token is a client's auth token. Printing or marshalling it gives a placeholder; only
// Reveal returns the text. The text is behind a pointer, because %+v of a struct with a
// token in an unexported field does not call the token's methods.
type Token struct{ text *string }

const redacted = "[token]"

// NewToken wraps a token's text.
func NewToken(text string) Token { return Token{text: &text} }

// Reveal returns the text. Only the encoder of Connect and the worker's authentication may
// call it.
func (t Token) Reveal() string {
	if t.text == nil {
		return ""
	}
	return *t.text
}

// Empty reports whether the token is missing or empty.
func (t Token) Empty() bool { return t.Reveal() == "" }

// Fingerprint returns the first 128 bits of the token's SHA-256 in hexadecimal, under which
// caches may store what they know about the token.
func (t Token) Fingerprint() string {
	sum := sha256.Sum256([]byte(t.Reveal()))
	return hex.EncodeToString(sum[:16])
}

// Format implements fmt.Formatter. It prints a placeholder for every verb.
func (t Token) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// String implements fmt.Stringer. It returns a placeholder.
func (t Token) String() string { return redacted }

// GoString implements fmt.GoStringer. It returns a placeholder.
func (t Token) GoString() string { return redacted }

// MarshalText implements encoding.TextMarshaler. It returns a placeholder.
func (t Token) MarshalText() ([]byte, error) { return []byte(redacted), nil }
