package membus_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/membus"
)

// clock is a time that only the test moves.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

// pass lets time go on and take effect.
func (c *clock) pass(core *membus.Core, d time.Duration) time.Time {
	c.at = c.at.Add(d)
	return core.Advance()
}

func newCore(t *testing.T, queues ...amqpbus.Queue) (*membus.Core, *clock) {
	t.Helper()
	c := &clock{at: time.Unix(1000, 0)}
	core := membus.NewCore(c.now)
	if err := core.Declare(amqpbus.Topology{Queues: queues}); err != nil {
		t.Fatal(err)
	}
	return core, c
}

func put(t *testing.T, core *membus.Core, queue string, expiration time.Duration, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		m := amqpbus.Message{Key: queue, Mandatory: true, Expiration: expiration, Body: []byte(body)}
		if err := core.Publish("user", m); err != nil {
			t.Fatalf("publish %s: %v", body, err)
		}
	}
}

func tap(t *testing.T, core *membus.Core, queue string, prefetch int) *membus.Tap {
	t.Helper()
	tap, err := core.Consume(membus.TapOptions{Queue: queue, Prefetch: prefetch})
	if err != nil {
		t.Fatal(err)
	}
	return tap
}

// take receives all that is waiting and compares the bodies.
func take(t *testing.T, tap *membus.Tap, want ...string) []amqpbus.Delivery {
	t.Helper()
	got, err := tap.TryReceive(1000)
	var bodies []string
	for _, d := range got {
		bodies = append(bodies, string(d.Body))
	}
	if err != nil || !slices.Equal(bodies, want) {
		t.Fatalf("received %q and %v, want %q", bodies, err, want)
	}
	return got
}

func depth(t *testing.T, core *membus.Core, queue string, ready, unacked int) {
	t.Helper()
	if r, u, ok := core.Depth(queue); !ok || r != ready || u != unacked {
		t.Fatalf("%s: %d ready, %d unacked, there %v; want %d and %d", queue, r, u, ok, ready, unacked)
	}
}

// TestPushedMessagesAreHeld: a tap that does not look holds its prefetch, which
// neither expires nor counts against the bound.
func TestPushedMessagesAreHeld(t *testing.T) {
	core, clock := newCore(t, amqpbus.Queue{Name: "q", MaxLength: 1, DeadLetterTo: "dead"}, amqpbus.Queue{Name: "dead"})
	first := tap(t, core, "q", 2)
	put(t, core, "q", time.Second, "1", "2", "3")
	if err := core.Publish("user", amqpbus.Message{Key: "q"}); !errors.Is(err, amqpbus.ErrRefused) {
		t.Fatalf("publish to the full queue: %v", err)
	}
	depth(t, core, "q", 1, 2)
	clock.pass(core, time.Minute)
	depth(t, core, "q", 0, 2)
	depth(t, core, "dead", 1, 0)
	take(t, first, "1", "2")
	// Given back they are ready again, and their time is over.
	first.End(amqpbus.ErrLinkLost)
	depth(t, core, "dead", 3, 0)
}

func TestExpiryIsAtTheHeadOnly(t *testing.T) {
	core, clock := newCore(t, amqpbus.Queue{Name: "q", DeadLetterTo: "dead"}, amqpbus.Queue{Name: "dead"})
	put(t, core, "q", 10*time.Second, "long")
	put(t, core, "q", time.Second, "short")
	put(t, core, "q", 0, "for ever")
	if next := clock.pass(core, 5*time.Second); !next.Equal(time.Unix(1010, 0)) {
		t.Errorf("the next time is %v, want that of the head", next)
	}
	depth(t, core, "q", 3, 0)
	if next := clock.pass(core, 5*time.Second); !next.IsZero() {
		t.Errorf("nothing more can happen, but at %v it should", next)
	}
	depth(t, core, "q", 1, 0)
	take(t, tap(t, core, "dead", 10), "long", "short")
}

// TestDeadLettersDoNotGoRound: two queues that bury in each other.
func TestDeadLettersDoNotGoRound(t *testing.T) {
	core, clock := newCore(t,
		amqpbus.Queue{Name: "a", DeadLetterTo: "b"},
		amqpbus.Queue{Name: "b", DeadLetterTo: "a", MaxLength: 1, DropHead: true},
		amqpbus.Queue{Name: "self", DeadLetterTo: "self"})
	put(t, core, "a", time.Second, "1", "2")
	put(t, core, "self", time.Second, "gone")
	clock.pass(core, time.Second)
	depth(t, core, "a", 0, 0)
	depth(t, core, "b", 1, 0)
	depth(t, core, "self", 0, 0)
	if d := take(t, tap(t, core, "b", 1), "2")[0]; d.Dead == nil || d.Dead.Queue != "a" || d.Dead.Key != "a" {
		t.Errorf("death %+v", d.Dead)
	}
}

func TestUnusedQueues(t *testing.T) {
	core, clock := newCore(t, amqpbus.Queue{Name: "q", Expires: time.Minute})
	for range 3 { // looking keeps it, as a passive declare does
		clock.at = clock.at.Add(50 * time.Second)
		if !core.Exists("q") {
			t.Fatal("the queue went although it was looked at")
		}
	}
	held := tap(t, core, "q", 1)
	clock.pass(core, time.Hour)
	depth(t, core, "q", 0, 0)
	held.End(amqpbus.ErrLinkLost)
	clock.pass(core, 59*time.Second)
	depth(t, core, "q", 0, 0)
	clock.at = clock.at.Add(time.Second) // also without Advance
	if _, _, ok := core.Depth("q"); ok {
		t.Fatal("the queue is there after its time")
	}
	if err := core.Publish("user", amqpbus.Message{Key: "q", Mandatory: true}); !errors.Is(err, amqpbus.ErrUnroutable) {
		t.Errorf("publish to the queue that went: %v", err)
	}
}

func TestRestartLosesTransientMessages(t *testing.T) {
	core, _ := newCore(t, amqpbus.Queue{Name: "q"})
	for i, persistent := range []bool{true, false, true, false, true} {
		m := amqpbus.Message{Key: "q", Persistent: persistent, Body: []byte(fmt.Sprint(i))}
		if err := core.Publish("user", m); err != nil {
			t.Fatal(err)
		}
	}
	held := tap(t, core, "q", 2)
	take(t, held, "0", "1")
	core.Restart(amqpbus.ErrLinkLost)
	if _, err := held.TryReceive(1); !errors.Is(err, amqpbus.ErrLinkLost) {
		t.Errorf("the tap after the restart: %v", err)
	}
	got := take(t, tap(t, core, "q", 10), "0", "2", "4")
	if !got[0].Redelivered || got[2].Redelivered {
		t.Errorf("redelivered: %v %v", got[0].Redelivered, got[2].Redelivered)
	}
}

func TestAnUnknownTagEndsTheTap(t *testing.T) {
	core, _ := newCore(t, amqpbus.Queue{Name: "q"})
	put(t, core, "q", 0, "1", "2")
	for name, misuse := range map[string]func(*membus.Tap) error{
		"twice":          func(tap *membus.Tap) error { return errors.Join(tap.Ack(1), tap.Ack(1)) },
		"before receive": func(tap *membus.Tap) error { return tap.Ack(3) },
		"zero":           func(tap *membus.Tap) error { return tap.AckThrough(0) },
	} {
		held := tap(t, core, "q", 10)
		if _, err := held.TryReceive(2); err != nil {
			t.Fatal(err)
		}
		if err := misuse(held); !errors.Is(err, amqpbus.ErrLinkLost) {
			t.Errorf("%s: %v", name, err)
		}
		if core.Consumers("q") != 0 {
			t.Errorf("%s: the tap goes on", name)
		}
		put(t, core, "q", 0, "x")
	}
}

func TestActiveTap(t *testing.T) {
	core, _ := newCore(t, amqpbus.Queue{Name: "q", SingleActiveConsumer: true})
	woken := 0
	first := tap(t, core, "q", 2)
	second, err := core.Consume(membus.TapOptions{Queue: "q", Prefetch: 2, Wake: func() { woken++ }})
	if err != nil {
		t.Fatal(err)
	}
	put(t, core, "q", 0, "1", "2", "3")
	if !first.Active() || second.Active() || woken != 0 {
		t.Fatalf("active %v and %v, woken %d", first.Active(), second.Active(), woken)
	}
	first.End(amqpbus.ErrLinkLost)
	if first.Active() || !second.Active() || woken != 1 {
		t.Fatalf("after the end: active %v and %v, woken %d", first.Active(), second.Active(), woken)
	}
	take(t, second, "1", "2")
	core.Delete("q")
	if _, err := second.TryReceive(1); !errors.Is(err, amqpbus.ErrCancelled) || woken != 2 || second.Active() {
		t.Errorf("after delete: %v, woken %d", err, woken)
	}
}

// TestDeclareIsAllOrNothing: a conflict at the end leaves nothing behind.
func TestDeclareIsAllOrNothing(t *testing.T) {
	core, _ := newCore(t, amqpbus.Queue{Name: "q"})
	for name, bad := range map[string]amqpbus.Topology{
		"conflict": {Queues: []amqpbus.Queue{{Name: "new"}, {Name: "q", MaxLength: 1}}},
		"no exchange": {
			Queues:   []amqpbus.Queue{{Name: "new"}},
			Bindings: []amqpbus.Binding{{Exchange: "missing", Queue: "new"}},
		},
		"no queue": {
			Exchanges: []amqpbus.Exchange{{Name: "x", Kind: "fanout"}}, Queues: []amqpbus.Queue{{Name: "new"}},
			Bindings: []amqpbus.Binding{{Exchange: "x", Queue: "missing"}},
		},
		"kind": {Queues: []amqpbus.Queue{{Name: "new"}}, Exchanges: []amqpbus.Exchange{{Name: "x", Kind: "headers"}}},
	} {
		if core.Declare(bad) == nil {
			t.Errorf("%s: declared", name)
		}
		if core.Exists("new") {
			t.Errorf("%s: half of it was declared", name)
		}
	}
}

// TestLongLine takes many messages through, with some always waiting, so that
// the backlog is compacted, and some given back.
func TestLongLine(t *testing.T) {
	core, _ := newCore(t, amqpbus.Queue{Name: "q"})
	const n, waiting = 20_000, 1500
	next, sent := 0, 0
	for next < n {
		for sent < n && sent < next+waiting {
			put(t, core, "q", 0, fmt.Sprint(sent))
			sent++
		}
		held := tap(t, core, "q", 700)
		got, err := held.TryReceive(700)
		if err != nil {
			t.Fatal(err)
		}
		acked := min(len(got), 500)
		for _, d := range got[:acked] {
			if string(d.Body) != fmt.Sprint(next) {
				t.Fatalf("received %s, want %d", d.Body, next)
			}
			next++
		}
		if err := held.AckThrough(got[acked-1].Tag); err != nil {
			t.Fatal(err)
		}
		held.End(amqpbus.ErrClosed)
	}
	depth(t, core, "q", 0, 0)
}
