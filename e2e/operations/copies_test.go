package operations

import (
	"fmt"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"belfry/e2e/harness"
	"belfry/e2e/wsclient"
)

// TestCopies: a backend asks the broker for copies to other groups. A log keeps one entry,
// and RabbitMQ drops the lists among its headers, so the routing key's group gets it, and no
// other.
func TestCopies(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	for _, shards := range []int{1, 2} {
		t.Run(fmt.Sprint(shards, " shards"), func(t *testing.T) {
			t.Parallel()
			in := harness.Start(t, harness.Shape{Gateways: 1, Workers: 1, Shards: shards})
			watcher := join(t, in.Gateways[0].Addr, in.Request(0, wsclient.Request{Token: harness.TokenAdmin}).Token, "jobs", "status_changed")
			ch := channel(t, in.Broker)
			emit := func(id string, headers amqp.Table) {
				must(t, ch.PublishWithContext(t.Context(), "belfry.emit", "jobs-status_changed", true, false,
					amqp.Publishing{MessageId: id, Headers: headers, Body: []byte(`{"id":"` + id + `"}`)}))
			}
			emit("cc", amqp.Table{"CC": []any{"jobs-summary", "job_events-42"}})
			emit("empty", amqp.Table{"CC": []any{}})
			emit("bcc", amqp.Table{"BCC": []any{"jobs-summary"}})
			for _, id := range []string{"cc", "empty", "bcc"} {
				if got := next(t, watcher); got != `{"id":"`+id+`"}` {
					t.Errorf("the watcher got %s, want the event %s", got, id)
				}
			}
		})
	}
}
