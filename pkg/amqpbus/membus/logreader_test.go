package membus_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/membus"
)

var oneLog = amqpbus.Topology{Queues: []amqpbus.Queue{{Name: "log", Stream: true}}}

// openedLog is a bus on a broker with one log.
func openedLog(t *testing.T) (*membus.Broker, amqpbus.Bus) {
	t.Helper()
	broker := membus.New()
	bus := broker.Open("u")
	if err := bus.Declare(t.Context(), oneLog); err != nil {
		t.Fatal(err)
	}
	return broker, bus
}

func closeBus(t *testing.T, bus amqpbus.Bus) {
	t.Helper()
	if err := bus.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// TestLogFates opens readers whose fate the test decides.
func TestLogFates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker, bus := openedLog(t)
		defer closeBus(t, bus)
		for fate, want := range map[membus.LogFate]error{
			membus.LogServed: nil, membus.LogHangs: nil, membus.LogAttachLate: nil,
			membus.LogGone: amqpbus.ErrLogGone, membus.LogRefused: amqpbus.ErrLogRefused, membus.LogUnanswered: amqpbus.ErrLogUnanswered,
		} {
			broker.SetLogHook(func(user string, o amqpbus.LogReaderOptions) membus.LogFate {
				if user != "u" || o.Log != "log" || o.At != amqpbus.LogNext {
					t.Errorf("asked about %s and %+v", user, o)
				}
				return fate
			})
			began := time.Now()
			r, err := bus.OpenLogReader(t.Context(), amqpbus.LogReaderOptions{Log: "log", At: amqpbus.LogNext})
			if !errors.Is(err, want) {
				t.Errorf("fate %d: %v, want %v", fate, err, want)
			}
			if took := time.Since(began); (took == amqpbus.LogStepWithin) != (fate == membus.LogUnanswered) {
				t.Errorf("fate %d took %s", fate, took)
			}
			if err != nil {
				continue
			}
			for range 2 {
				if err := broker.Core().Publish("u", amqpbus.Message{Key: "log", Body: []byte("entry")}); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			got, err := r.Receive(ctx, 10)
			cancel()
			brings := map[membus.LogFate]int{membus.LogServed: 2, membus.LogAttachLate: 1}[fate]
			if len(got) != brings || (brings == 0) != errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("fate %d brings %d entries and %v", fate, len(got), err)
			}
		}
	})
}

// TestReadersAndLinks: readers have links of their own, which a broken network
// breaks, too, and an alarm does not.
func TestReadersAndLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker, bus := openedLog(t)
		defer closeBus(t, bus)
		for name, c := range map[string]struct {
			fault func()
			want  error
		}{
			"cut links":      {func() { broker.CutLinks("u") }, amqpbus.ErrLinkLost},
			"cut bus":        {func() { broker.CutBus(bus) }, amqpbus.ErrLinkLost},
			"cut reading":    {func() { broker.CutReading(bus) }, amqpbus.ErrLinkLost},
			"restart":        {func() { broker.Down(); broker.Up() }, amqpbus.ErrLinkLost},
			"away":           {func() { broker.Disconnect(bus); broker.Reconnect(bus) }, amqpbus.ErrLinkLost},
			"cut publishing": {func() { broker.CutPublishing(bus) }, nil},
			"cut consuming":  {func() { broker.CutConsuming(bus) }, nil},
			"alarm":          {func() { broker.Block("memory") }, nil},
		} {
			r, err := bus.OpenLogReader(t.Context(), amqpbus.LogReaderOptions{Log: "log", At: amqpbus.LogNext})
			if err != nil {
				t.Fatal(err)
			}
			c.fault()
			if err := broker.Core().Publish("u", amqpbus.Message{Key: "log", Body: []byte("entry")}); err != nil {
				t.Fatal(err)
			}
			if got, err := r.Receive(t.Context(), 1); !errors.Is(err, c.want) || (err == nil) != (len(got) == 1) {
				t.Errorf("%s: %d entries and %v, want %v", name, len(got), err, c.want)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			broker.Unblock()
		}
		broker.Disconnect(bus)
		if _, err := bus.OpenLogReader(t.Context(), amqpbus.LogReaderOptions{Log: "log"}); !errors.Is(err, amqpbus.ErrLinkLost) {
			t.Errorf("open without a link: %v", err)
		}
	})
}

// TestALogSurvivesARestart, with what is not persistent: it lies on disk.
func TestALogSurvivesARestart(t *testing.T) {
	broker, bus := openedLog(t)
	defer closeBus(t, bus)
	if err := broker.Core().Publish("u", amqpbus.Message{Key: "log", Body: []byte("transient")}); err != nil {
		t.Fatal(err)
	}
	broker.Down()
	broker.Up()
	if got := broker.Core().LogEntries("log"); len(got) != 1 || got[0].UserID != "u" {
		t.Errorf("held: %+v", got)
	}
}
