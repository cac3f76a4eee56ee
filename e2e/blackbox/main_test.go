//go:build !containers

package blackbox

import (
	"os"
	"testing"

	"belfry/e2e/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }
