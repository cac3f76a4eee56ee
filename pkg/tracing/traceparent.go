package tracing

import (
	"encoding/hex"

	"go.opentelemetry.io/otel/trace"
)

// size is the length of a traceparent of version 00 (W3C Trace Context 3.2.2):
// version, trace id, parent id and flags in hexadecimal, with dashes between.
const size = 2 + 1 + 32 + 1 + 16 + 1 + 2

// parse reads a sampled traceparent of version 00; ok is false for every other
// text. It does not allocate.
func parse(text string) (parent trace.SpanContext, ok bool) {
	if len(text) != size || text[:3] != "00-" || text[35] != '-' || text[52] != '-' {
		return trace.SpanContext{}, false
	}
	var c trace.SpanContextConfig
	var flags [1]byte
	if !lowerHex(c.TraceID[:], text[3:35]) || !lowerHex(c.SpanID[:], text[36:52]) || !lowerHex(flags[:], text[53:]) {
		return trace.SpanContext{}, false
	}
	c.TraceFlags, c.Remote = trace.TraceFlags(flags[0])&trace.FlagsSampled, true
	parent = trace.NewSpanContext(c)
	return parent, parent.IsValid() && parent.IsSampled()
}

// lowerHex decodes text, which has twice the bytes of out. Upper case is not
// allowed (3.2.2.3).
func lowerHex(out []byte, text string) bool {
	for i := range out {
		high, low := digit(text[2*i]), digit(text[2*i+1])
		if high > 15 || low > 15 {
			return false
		}
		out[i] = high<<4 | low
	}
	return true
}

func digit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 16
}

// format returns the traceparent of a span.
func format(c trace.SpanContext) string {
	traceID, spanID := c.TraceID(), c.SpanID()
	out := make([]byte, 0, size)
	out = append(out, "00-"...)
	out = hex.AppendEncode(out, traceID[:])
	out = append(out, '-')
	out = hex.AppendEncode(out, spanID[:])
	out = append(out, '-')
	out = hex.AppendEncode(out, []byte{byte(c.TraceFlags() & trace.FlagsSampled)})
	return string(out)
}
