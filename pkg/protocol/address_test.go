package protocol

import "testing"

func TestClientOf(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::", "2001:db8:1:2::1%eth0": "2001:db8:1:2::",
		"": "", "somebody": "", "192.0.2.7:80": "",
	} {
		if got := ClientOf(remote); got != want {
			t.Errorf("the client of %q is %q, want %q", remote, got, want)
		}
	}
}
