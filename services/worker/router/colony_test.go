package router

import (
	"strings"
	"testing"
	"time"

	"belfry/pkg/protocol"
)

// TestAWorkerWithOtherShardsIsNoneOfUs: shards are not shared with a worker that
// was given another number of them, and the log names the setting.
func TestAWorkerWithOtherShardsIsNoneOfUs(t *testing.T) {
	r := &Router{o: Options{Worker: "w.1", Shards: 4}, colony: newColony("w.1", 4)}
	for _, test := range []struct{ of, workers int }{{2, 1}, {0, 2}, {4, 2}} {
		err := r.readPresence(protocol.Encode(protocol.Presence{Worker: "w.2", Of: test.of}))
		if (err != nil) != (test.workers == 1) || err != nil && !strings.Contains(err.Error(), "BELFRY_SHARDS") {
			t.Errorf("of %d: %v", test.of, err)
		}
		if n := r.colony.workers(time.Now()); n != test.workers {
			t.Errorf("of %d: %d workers, want %d", test.of, n, test.workers)
		}
	}
}
