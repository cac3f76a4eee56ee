package emitter_test

import (
	"errors"
	"strings"
	"testing"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/membus"
	"belfry/pkg/emitter"
	"belfry/pkg/protocol"
)

func TestDisconnect(t *testing.T) {
	broker, bus := installation(t, 1)
	endpoint := openURL(t, strings.Replace(serveEndpoint(t, broker).URL, "http://", "embedded://:s3cret%2Fx@", 1))
	for name, e := range map[string]*emitter.Emitter{"the broker": over(t, broker, emitter.Options{}), "the endpoint": endpoint} {
		if err := e.Disconnect(t.Context(), "7", ""); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := e.Disconnect(t.Context(), "ann", "s"); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := receive(t, bus, amqpbus.QueueDisconnect, 2)
		if string(got[0].Body) != `{"user":"7"}` || string(got[1].Body) != `{"user":"ann","session":"s"}` {
			t.Errorf("%s: %s, %s", name, got[0].Body, got[1].Body)
		}
		if got[0].ID == "" || got[0].ID == got[1].ID || !got[0].Persistent || got[0].Expiration != 0 {
			t.Errorf("%s: %+v", name, got[0])
		}
		for _, order := range [][2]string{{"", ""}, {"*", ""}, {"7", "\n"}, {strings.Repeat("7", protocol.MaxUserLength+1), ""}} {
			if err := e.Disconnect(t.Context(), order[0], order[1]); !errors.Is(err, emitter.ErrInvalid) {
				t.Errorf("%s: %q: %v", name, order, err)
			}
		}
		if n := ready(t, broker, amqpbus.QueueDisconnect); n != 0 {
			t.Errorf("%s: %d invalid orders came through", name, n)
		}
	}
}

// TestDisconnectIsNeverQuiet: the caller must learn that a log-out did not happen.
func TestDisconnectIsNeverQuiet(t *testing.T) {
	broker, _ := installation(t, 1)
	e := over(t, broker, emitter.Options{Quiet: true})
	broker.SetPublishHook(func(string, amqpbus.Message) membus.Fate { return membus.FateRefuse })
	if err := e.Emit(t.Context(), "jobs-1", []byte(`{}`)); err != nil {
		t.Errorf("a quiet emit: %v", err)
	}
	if err := e.Disconnect(t.Context(), "7", ""); !errors.Is(err, emitter.ErrRefused) {
		t.Errorf("an order: %v", err)
	}
}
