// Package deployment runs what deploy/ ships: nginx, supervisord and the Procfile,
// really started, with two gateways and a load of browsers.
package deployment

import (
	"os"
	"testing"

	"belfry/e2e/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

func needsBroker(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs RabbitMQ, nginx and supervisord: not in -short")
	}
}
