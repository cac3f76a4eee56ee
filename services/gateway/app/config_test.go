package app

import (
	"strings"
	"testing"

	"belfry/pkg/protocol"
	"belfry/pkg/settings"
)

// TestTheOutboxHoldsTheLargestEvent and something behind it, by default and at
// the least that is allowed.
func TestTheOutboxHoldsTheLargestEvent(t *testing.T) {
	for _, c := range []struct {
		name, value string
		want        int // 0: refused
	}{
		{"the default", "", protocol.MaxPayload + 512<<10},
		{"the least", "1114112", protocol.MaxPayload + 64<<10},
		{"one byte less", "1114111", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("BELFRY_NAME", "test")
			if c.value != "" {
				t.Setenv("BELFRY_OUTBOX_BYTES", c.value)
			}
			var got Config
			err := settings.Load(&got)
			switch {
			case c.want != 0 && (err != nil || got.OutboxBytes != c.want):
				t.Errorf("got %d, %v, want %d", got.OutboxBytes, err, c.want)
			case c.want == 0 && (err == nil || !strings.Contains(err.Error(), "BELFRY_OUTBOX_BYTES") || !strings.Contains(err.Error(), "1114112")):
				t.Errorf("the error is %v", err)
			}
		})
	}
}
