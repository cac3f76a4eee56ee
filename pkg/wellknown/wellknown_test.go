package wellknown

import "testing"

func TestSecret(t *testing.T) {
	for text, want := range map[string]bool{
		"change-me": true, "CHANGE_ME": true, "changeme\n": true, "gateway-development": true, "backend-development": true,
		"for-development-only-signs-tokens-0123456789": true, "For-Development-Only": true,
		"": false, "change-me-i-am-long-and-random-3f9a": false, "guest": false, "development": false, "0f8c3b7e": false,
	} {
		if got := Secret(text); got != want {
			t.Errorf("Secret(%q) is %v", text, got)
		}
	}
}
