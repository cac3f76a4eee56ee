// Package bustest is the contract of amqpbus: one suite that every
// implementation of Bus passes, so that what is tested on the twin in memory
// holds on a real broker.
//
// It is fair to a real broker: names are new in each test, waits end with the
// event waited for and are bounded, and "nothing more comes" is shown by a
// message published later that comes next. What needs a broken broker (cuts,
// alarms, restarts) is tested with each implementation, not here.
package bustest

import (
	"testing"

	"belfry/pkg/amqpbus"
)

// The users that the suite opens buses for. They need every permission.
const (
	UserA = "bustest-a"
	UserB = "bustest-b"
)

// Run runs the contract. open gives a bus of a user (UserA, UserB) on one and
// the same broker; the suite closes it.
func Run(t *testing.T, open func(t testing.TB, user string) amqpbus.Bus) {
	for _, group := range []struct {
		name  string
		tests []contract
	}{
		{"order", orderContracts},
		{"publish", publishContracts},
		{"bounds", boundContracts},
		{"consume", consumeContracts},
		{"settle", settleContracts},
		{"single active consumer", activeContracts},
		{"exclusive", exclusiveContracts},
		{"expiry", expiryContracts},
		{"topology", topologyContracts},
		{"log", logContracts},
		{"log reader", logReaderContracts},
		{"baton", batonContracts},
		{"close", closeContracts},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, c := range group.tests {
				t.Run(c.promise, func(t *testing.T) { c.test(newKit(t, open)) })
			}
		})
	}
}

// contract is one promise of bus.go and its test.
type contract struct {
	promise string
	test    func(k *kit)
}
