package harness

import (
	"slices"
	"testing"
)

func TestFaultsAreFound(t *testing.T) {
	const log = `{"level":"info","msg":"gateway started"}
==================
WARNING: DATA RACE
Read at 0x00c0000b4010 by goroutine 8:
{"level":"error","msg":"bug: panic while handling a connection, closing it","conn":3,"panic":"a fault"}
{"level":"warn","logger":"http","msg":"http: panic serving 127.0.0.1:4: x"}
panic: runtime error: invalid memory address or nil pointer dereference
fatal error: all goroutines are asleep - deadlock!
{"level":"info","msg":"connection closed","reason":"a client that likes the word panic"}
`
	want := []string{
		"WARNING: DATA RACE",
		`{"level":"error","msg":"bug: panic while handling a connection, closing it","conn":3,"panic":"a fault"}`,
		`{"level":"warn","logger":"http","msg":"http: panic serving 127.0.0.1:4: x"}`,
		"panic: runtime error: invalid memory address or nil pointer dereference",
		"fatal error: all goroutines are asleep - deadlock!",
	}
	if got := faults(log); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
