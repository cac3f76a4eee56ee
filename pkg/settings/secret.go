package settings

import (
	"encoding/json"
	"fmt"
	"io"
)

const redacted = "[secret]"

// Secret is a configured secret. Printing, logging or marshalling it gives a placeholder; only
// Reveal returns the text. The zero value is an empty secret.
type Secret struct {
	// A pointer, because fmt prints the fields of a struct that it reaches
	// through an unexported field without asking its methods.
	text *string
}

// NewSecret wraps a text.
func NewSecret(text string) Secret { return Secret{text: &text} }

// Reveal returns the text.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Empty reports whether the secret is empty.
func (s Secret) Empty() bool { return s.Reveal() == "" }

// Decode implements envconfig.Decoder. It never fails: an error of it would be
// printed together with the value.
func (s *Secret) Decode(value string) error {
	*s = NewSecret(value)
	return nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Secret) UnmarshalText(text []byte) error { return s.Decode(string(text)) }

// String implements fmt.Stringer. It returns a placeholder.
func (s Secret) String() string {
	if s.Empty() {
		return ""
	}
	return redacted
}

// GoString implements fmt.GoStringer. It returns a placeholder.
func (s Secret) GoString() string { return redacted }

// Format implements fmt.Formatter for every verb, also those that would print
// the fields.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText implements encoding.TextMarshaler. It returns a placeholder.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON implements json.Marshaler. It returns a placeholder.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }
