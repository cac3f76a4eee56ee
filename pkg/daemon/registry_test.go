package daemon

import (
	"runtime"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestBuildInfoSaysWhatRuns(t *testing.T) {
	before := Version
	t.Cleanup(func() { Version = before })
	Version = "v1.2.3-test"
	want := `# HELP belfry_build_info Always 1: the version that runs, and the Go that built it.
# TYPE belfry_build_info gauge
belfry_build_info{goversion="` + runtime.Version() + `",version="v1.2.3-test"} 1
`
	if err := testutil.GatherAndCompare(NewRegistry(), strings.NewReader(want), "belfry_build_info"); err != nil {
		t.Error(err)
	}
}
