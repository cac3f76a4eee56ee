package connection

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// A user who changes more groups than the rate allows, in however few messages, is told
// to try again; other users are answered.
func TestUserWhoChangesGroupsTooFast(t *testing.T) {
	registry := prometheus.NewRegistry()
	r := begin(t, Options{GroupRate: 1, GroupBurst: 20, AnswerTimeout: time.Second, Registerer: registry}, seven)
	set := func(from, n int) string {
		items := make([]string, n)
		for i := range items {
			items[i] = fmt.Sprint(from + i)
		}
		return `{"groups": {"job_events": [` + strings.Join(items, ", ") + `]}}`
	}
	r.send(set(0, 15))
	if answer, err := r.next(); err != nil || !strings.Contains(answer, "groups_joined") {
		t.Fatalf("%s, %v", answer, err)
	}
	asked := time.Now()
	r.send(set(100, 15)) // 15 left and 15 joined
	r.expect(`{"error": "subscriptions are unavailable, try again"}`)
	if took := time.Since(asked); took < 400*time.Millisecond { // half of the time for an answer, or it is asked again at once
		t.Errorf("it was refused after %v", took)
	}
	r.send(set(0, 15)) // changes nothing, costs nothing
	if answer, err := r.next(); err != nil || !strings.Contains(answer, `"groups_joined": []`) {
		t.Fatalf("%s, %v", answer, err)
	}
	want := `
# HELP belfry_gateway_paced_messages_total Client messages that waited, or were refused, because their user changes more groups than BELFRY_GROUP_RATE allows.
# TYPE belfry_gateway_paced_messages_total counter
belfry_gateway_paced_messages_total{outcome="refused"} 1
belfry_gateway_paced_messages_total{outcome="waited"} 0
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}
