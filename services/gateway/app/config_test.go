package app

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"belfry/pkg/protocol"
	"belfry/pkg/settings"
)

// TestOutboxHoldsLargestEvent and something behind it, by default and at
// the least that is allowed.
func TestOutboxHoldsLargestEvent(t *testing.T) {
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

// TestTrustedProxies: addresses and networks, as they are compared.
func TestTrustedProxies(t *testing.T) {
	c := Config{TrustedProxies: []string{"10.1.2.3", "10.0.0.7/8", "2001:db8::1", "::ffff:10.1.2.3", "::ffff:10.0.0.0/104", "fd00::/8"}}
	got, err := c.proxies()
	want := "[10.1.2.3/32 10.0.0.0/8 2001:db8::1/128 10.1.2.3/32 10.0.0.0/8 fd00::/8]"
	if fmt.Sprint(got) != want || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"10.1.2", "10.0.0.0/40", "proxy.example", "10.1.2.3:80", ""} {
		if _, err := (Config{TrustedProxies: []string{bad}}).proxies(); err == nil || !strings.Contains(err.Error(), "BELFRY_TRUSTED_PROXIES") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestTokenCookies are names; none at all is a choice.
func TestTokenCookies(t *testing.T) {
	for value, want := range map[string]string{
		"": "", "token": "token", "awx_sessionid, sessionid ,": "awx_sessionid sessionid", "a=b": "!", "a;b": "!", "a b": "!",
	} {
		t.Setenv("BELFRY_TOKEN_COOKIES", value)
		var got Config
		err := settings.Load(&got)
		if refused := err != nil && strings.Contains(err.Error(), "BELFRY_TOKEN_COOKIES"); refused != (want == "!") || err == nil && strings.Join(got.TokenCookies, " ") != want {
			t.Errorf("%q: got %q, %v", value, got.TokenCookies, err)
		}
	}
}

// TestGraceFollowsPeriods: a balancer that needs 20 s gets them, and what
// stops the process waits long enough for the longest.
func TestGraceFollowsPeriods(t *testing.T) {
	for _, c := range []struct {
		notice, period string
		want           time.Duration // 0: refused
	}{
		{"", "", 25 * time.Second}, {"20s", "", 43 * time.Second}, {"0s", "0s", besideDrain}, {"60s", "60s", Grace}, {"61s", "", 0}, {"", "61s", 0}, {"-1s", "", 0},
	} {
		t.Run(c.notice+" "+c.period, func(t *testing.T) {
			t.Setenv("BELFRY_NAME", "test")
			for name, value := range map[string]string{"BELFRY_DRAIN_NOTICE": c.notice, "BELFRY_DRAIN_PERIOD": c.period} {
				if value != "" {
					t.Setenv(name, value)
				}
			}
			var got Config
			err := settings.Load(&got)
			if c.want == 0 && (err == nil || !strings.Contains(err.Error(), "BELFRY_DRAIN_")) || c.want != 0 && (err != nil || got.Grace() != c.want || got.Grace() > Grace) {
				t.Errorf("%v, %v", got.Grace(), err)
			}
		})
	}
}
