//go:build containers

package containers

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(Main(m.Run)) }

func TestContainers(t *testing.T) {
	Needs(t)
	out, err := engine.docker("images")
	t.Log(out, err)
}
