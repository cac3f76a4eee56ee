package main

import (
	"encoding/json"
	"strings"
	"testing"

	"belfry/pkg/amqpbus"
	"belfry/services/worker/leading"
)

func TestDeadShowsAndTakesAwayWhatItShows(t *testing.T) {
	bus := withBus(t, 1)
	configured(t, "guest")
	sh(t, "", "dead").want(t, 0, "", "belfry.dead is empty")
	p, err := bus.OpenPublisher(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	park := func(id string, body []byte) {
		t.Helper()
		outcome := make(chan error, 1)
		err := p.Publish(t.Context(), amqpbus.Message{
			Key: amqpbus.QueueDead, ID: id, Mandatory: true, Body: body,
			Headers: map[string]string{leading.HeaderReason: "payload is not JSON", leading.HeaderOrigin: "belfry.emit/jobs-summary"},
		}, func(err error) { outcome <- err })
		if err == nil {
			err = <-outcome
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	park("first", []byte("{<"))
	park("second", []byte{0xff, 0x00})
	for range 2 { // they stay
		got := sh(t, "", "dead")
		got.want(t, 0, `"body":"{<"`, "2 of 2 messages shown;")
		lines := strings.Split(strings.TrimSpace(got.out), "\n")
		var first, second struct {
			Reason, Origin string
			ID             string `json:"message_id"`
			Base64         []byte `json:"body_base64"`
		}
		if len(lines) != 2 || json.Unmarshal([]byte(lines[0]), &first) != nil || json.Unmarshal([]byte(lines[1]), &second) != nil {
			t.Fatalf("got\n%s", got.out)
		}
		if first.ID != "first" || first.Reason != "payload is not JSON" || first.Origin != "belfry.emit/jobs-summary" || second.ID != "second" || len(second.Base64) != 2 {
			t.Errorf("got\n%s", got.out)
		}
	}
	sh(t, "", "check", "--nothing-runs").want(t, 0, "note   2 messages could not be decoded", "")
	sh(t, "", "dead", "--purge").want(t, 0, `"message_id":"second"`, "2 of 2 messages shown and removed")
	sh(t, "", "dead").want(t, 0, "", "belfry.dead is empty")

	park("third", []byte("{"))
	set(t, "BELFRY_AMQP_URL", node(t).URL("backend"))
	sh(t, "", "dead").want(t, 1, "", "no role may read belfry.dead")
	set(t, "BELFRY_AMQP_URL", "amqp://guest:guest@127.0.0.1:1/")
	sh(t, "", "dead").want(t, 1, "", "is the broker running")
}
