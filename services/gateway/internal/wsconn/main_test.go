package wsconn

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// poller is what the connections of the tests wait in while they are idle.
var poller = NewPoller()

// TestMain runs every test twice: with idle connections in the poller, and with those
// of systems where none is.
func TestMain(m *testing.M) {
	if err := poller.Open(); err != nil {
		fmt.Println("open the poller:", err)
		os.Exit(1)
	}
	code := m.Run()
	if err := poller.Close(); err != nil {
		fmt.Println("close the poller:", err)
		code = 1
	}
	poller = NewPoller() // not opened: each connection has a goroutine
	if code == 0 {
		goleak.VerifyTestMain(m)
	}
	os.Exit(code)
}
