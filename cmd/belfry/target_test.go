package main

import (
	"net"
	"strings"
	"testing"
)

// TestWithoutAddressNobodyWaits: what was never started is not waited for.
func TestWithoutAddressNobodyWaits(t *testing.T) {
	clean(t)
	if c, err := net.Dial("tcp", "127.0.0.1:5672"); err == nil {
		_ = c.Close()
		t.Skip("a broker of this machine listens on the default port, so the default leads somewhere")
	}
	got := sh(t, "", "emit", "--timeout", "10m", "jobs-summary", "1")
	got.want(t, 1, "", "BELFRY_AMQP_URL is not set, and there is no broker at this host's default address")
	got.want(t, 1, "", "belfry dev")
	if n := strings.Count(got.err, "connect to"); n != 1 {
		t.Errorf("the error is told %d times: %s", n, got.err)
	}
	set(t, "BELFRY_AMQP_URL", "amqp://guest:guest@127.0.0.1:1/")
	got = sh(t, "", "emit", "--timeout", "1s", "jobs-summary", "1")
	got.want(t, 1, "", "is the broker running")
	if n := strings.Count(got.err, "connect to"); n != 1 {
		t.Errorf("the error is told %d times: %s", n, got.err)
	}
}
