package faults

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"

	"belfry/e2e/harness"
	"belfry/e2e/load"
	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/brokertest"
)

// TestExpiredEmitWithAHistory lets emits expire that were published with a
// history of dead-lettering, as a backend does that publishes again what it got
// from a dead-letter queue. There is a gap of the group that lost something. It
// may be one of all groups: the broker keeps an old entry that fits, and a
// gateway that was started a moment ago may have more to tell.
func TestExpiredEmitWithAHistory(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	in := harness.Start(t, harness.Shape{Gateways: 1, Workers: 1, Shards: 1})
	conn := dial(t, in, 0)
	expectFrame(t, conn, `{"accept": true, "user": 7}`)
	say(t, conn, load.Subscription([]string{"job_events-1", "job_events-2"}))
	expectFrame(t, conn, `{"groups_current": ["job_events-1", "job_events-2"], "groups_left": [], "groups_joined": ["job_events-1", "job_events-2"]}`)
	for _, queue := range []string{"a-queue-of-the-backend", amqpbus.ShardQueue(1, 0)} {
		in.Workers[0].Kill9()
		in.PublishRaw(t, brokertest.RawMessage{
			Key: "job_events-1", ID: queue, Expiration: 500 * time.Millisecond,
			Table: history(queue, "job_events-2"), Body: []byte(`{"old": 1}`),
		})
		waitForExpiry(t)
		in.Workers[0].Restart(t)
		in.WaitReady(t, 20*time.Second)
		if got, err := conn.Next(15 * time.Second); err != nil || !strings.HasPrefix(got, `{"gap": ["job_events-1"`) {
			t.Fatalf("died before in %s: got %s, %v", queue, got, err)
		}
	}
	in.Emit(t, "job_events-2", `{"new": 1}`)
	if got := nextBut(t, conn, `{"gap":`, 10*time.Second); got != `{"new": 1}` {
		t.Fatalf("got %s", got)
	}
}

// history is a header table with an x-death that says: expired in this queue,
// published to this key.
func history(queue, key string) []byte {
	long := func(b []byte) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...) }
	entry := func(name string, kind byte, value []byte) []byte {
		return append(append(append([]byte{byte(len(name))}, name...), kind), value...)
	}
	death := slices.Concat(
		entry("count", 'l', []byte{0, 0, 0, 0, 0, 0, 0, 1}),
		entry("exchange", 'S', long([]byte(amqpbus.ExchangeEmit))),
		entry("queue", 'S', long([]byte(queue))),
		entry("reason", 'S', long([]byte("expired"))),
		entry("routing-keys", 'A', long(append([]byte{'S'}, long([]byte(key))...))))
	return entry("x-death", 'A', long(append([]byte{'F'}, long(death)...)))
}
