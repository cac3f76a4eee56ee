package python

import (
	"fmt"
	"testing"
	"time"

	"belfry/e2e/harness"
	"belfry/e2e/load"
	"belfry/e2e/wsclient"
	"belfry/pkg/protocol"
)

// watch opens a browser's connection that is subscribed to groups.
func watch(t *testing.T, in *harness.Installation, groups []string) *wsclient.Conn {
	t.Helper()
	conn, answer, err := wsclient.Dial(t.Context(), in.Request(0, wsclient.Request{Token: harness.TokenAdmin}))
	if err != nil || conn == nil {
		t.Fatal(answer, err)
	}
	t.Cleanup(conn.Drop)
	if err := conn.Text(load.Subscription(groups)); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the accept frame and the reply
		if _, err := conn.Next(10 * time.Second); err != nil {
			t.Fatal(err)
		}
	}
	return conn
}

// toBrowser emits as a backend's user, who may do nothing but that.
const toBrowser = `
import os, belfry
with belfry.Emitter(os.environ["URL"], raise_errors=True, driver=os.environ["DRIVER"]) as emitter:
    emitter.emit("job_events-4711", b'{"group_name": "job_events",  "from": "python"}')
`

func TestAnEventFromPythonReachesABrowser(t *testing.T) {
	needs(t)
	t.Parallel()
	in := harness.Start(t, harness.Shape{Gateways: 1, Workers: 1, Shards: 1})
	conn := watch(t, in, []string{"job_events-4711"})
	for _, library := range libraries {
		t.Run(library, func(t *testing.T) {
			python(t, nil, []string{"URL=" + in.Broker.BackendURL(), "DRIVER=" + library}, "-c", toBrowser)
			if got, err := conn.Next(10 * time.Second); err != nil || got != `{"group_name": "job_events",  "from": "python"}` {
				t.Fatalf("got %s, %v", got, err)
			}
		})
	}
}

// toShards emits to each group, straight to its shard, and once with a number
// of shards that no worker has.
const toShards = `
import os, belfry
with belfry.Emitter(raise_errors=True, driver=os.environ["DRIVER"]) as emitter:
    for job in range(1, int(os.environ["JOBS"]) + 1):
        emitter.emit(f"job_events-{job}", {"group_name": "job_events", "job": job})
with belfry.Emitter(raise_errors=True, driver=os.environ["DRIVER"], shards=3) as wrong:
    try:
        wrong.emit("job_events-1", {})
    except belfry.Unroutable as err:
        assert "BELFRY_SHARDS" in str(err), err
    else:
        raise AssertionError("an event went to shards that are not there")
`

func TestEventsFromPythonGoStraightToTheirShards(t *testing.T) {
	needs(t)
	t.Parallel()
	const jobs, shards = 12, 4
	in := harness.Start(t, harness.Shape{Gateways: 1, Workers: 2, Shards: shards})
	var groups []string
	used := make(map[int]bool)
	for job := 1; job <= jobs; job++ {
		group := fmt.Sprintf("job_events-%d", job)
		groups = append(groups, group)
		used[protocol.ShardOf(protocol.Group(group), shards)] = true
	}
	if len(used) != shards {
		t.Fatalf("the groups use %d of %d shards", len(used), shards)
	}
	conn := watch(t, in, groups)
	// From here on a backend may not take the way through belfry.emit.
	in.Broker.Permit(t, harness.Backend, "^$", `^belfry\.emit\.v2\.n[0-9]+$`, "^$")
	for _, library := range libraries {
		t.Run(library, func(t *testing.T) {
			env := []string{"BELFRY_AMQP_URL=" + in.Broker.BackendURL(), fmt.Sprintf("BELFRY_SHARDS=%d", shards), "DRIVER=" + library, fmt.Sprintf("JOBS=%d", jobs)}
			python(t, nil, env, "-c", toShards)
			got := make(map[string]int)
			for range jobs {
				text, err := conn.Next(10 * time.Second)
				if err != nil {
					t.Fatalf("after %v: %v", got, err)
				}
				got[text]++
			}
			for job := 1; job <= jobs; job++ {
				if want := fmt.Sprintf(`{"group_name":"job_events","job":%d}`, job); got[want] != 1 {
					t.Errorf("%s came %d times, of %v", want, got[want], got)
				}
			}
		})
	}
}
