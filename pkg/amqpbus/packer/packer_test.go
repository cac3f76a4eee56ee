package packer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// broker notes what is published and confirms when it is told to.
type broker struct {
	mu        sync.Mutex
	published []amqpbus.Message
	dones     []func(error)
	refuse    error // of Publish itself
}

func (b *broker) publish(_ context.Context, m amqpbus.Message, done func(error)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refuse != nil {
		return b.refuse
	}
	b.published, b.dones = append(b.published, m), append(b.dones, done)
	return nil
}

// answer gives the oldest unconfirmed publish an outcome.
func (b *broker) answer(err error) {
	b.mu.Lock()
	done := b.dones[0]
	b.dones = b.dones[1:]
	b.mu.Unlock()
	done(err)
	synctest.Wait()
}

// bodies returns the bodies of all published messages, those of a pack in one list.
func (b *broker) bodies(t *testing.T) (out [][]string) {
	t.Helper()
	for _, m := range b.published {
		if m.Type != protocol.TypePack {
			out = append(out, []string{string(m.Body)})
			continue
		}
		messages, err := protocol.DecodePack(m.Body)
		if err != nil {
			t.Fatal(err)
		}
		var one []string
		for _, p := range messages {
			one = append(one, string(p.Body))
		}
		out = append(out, one)
	}
	return out
}

// rig is a Packer in a synctest bubble.
type rig struct {
	*Packer
	broker   broker
	mu       sync.Mutex
	outcomes map[string][]error
}

func play(t *testing.T, test func(t *testing.T, r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{outcomes: map[string][]error{}}
		r.Packer = New(r.broker.publish)
		test(t, r)
		r.Close()
	})
}

func (r *rig) send(ctx context.Context, key, body string) {
	r.Send(ctx, amqpbus.Message{Exchange: "x", Key: key, Type: "t", Body: []byte(body), Expiration: time.Second}, func(err error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.outcomes[body] = append(r.outcomes[body], err)
	})
}

// numbers sends a run of numbered messages.
func (r *rig) numbers(t *testing.T, key string, from, to int) {
	for n := from; n < to; n++ {
		r.send(t.Context(), key, fmt.Sprint(n))
		synctest.Wait()
	}
}

func numbered(from, to int) (out []string) {
	for n := from; n < to; n++ {
		out = append(out, fmt.Sprint(n))
	}
	return out
}

func TestAloneAMessageStaysAsItIs(t *testing.T) {
	play(t, func(t *testing.T, r *rig) {
		r.send(t.Context(), "k", "a")
		synctest.Wait()
		m := r.broker.published[0]
		if m.Type != "t" || string(m.Body) != "a" || m.Exchange != "x" || m.Key != "k" || m.Expiration != time.Second {
			t.Errorf("published %+v", m)
		}
		if len(r.outcomes) != 0 {
			t.Error("an outcome before the confirm")
		}
		r.broker.answer(nil)
		if !slices.Equal(r.outcomes["a"], []error{nil}) || len(r.lanes) != 0 {
			t.Errorf("outcomes %v, %d lanes are left", r.outcomes, len(r.lanes))
		}
	})
}

// What waits while the window is full goes out together, in order, and a pack
// holds no more than its bound.
func TestWaitingMessagesArePacked(t *testing.T) {
	play(t, func(t *testing.T, r *rig) {
		r.numbers(t, "k", 0, window+protocol.MaxPacked+2)
		if len(r.broker.published) != window {
			t.Fatalf("%d were published before a confirm", len(r.broker.published))
		}
		r.broker.answer(nil)
		r.broker.answer(nil)
		want := [][]string{{"0"}, {"1"}, {"2"}, {"3"}, numbered(window, window+protocol.MaxPacked), numbered(window+protocol.MaxPacked, window+protocol.MaxPacked+2)}
		if got := r.broker.bodies(t); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("published %v, want %v", got, want)
		}
		r.broker.answer(nil)
		r.broker.answer(nil)
		r.broker.answer(amqpbus.ErrRefused) // the first pack
		if !errors.Is(r.outcomes["4"][0], amqpbus.ErrRefused) || !errors.Is(r.outcomes["67"][0], amqpbus.ErrRefused) || r.outcomes["68"] != nil {
			t.Errorf("a pack's outcome is not that of each: %v", r.outcomes)
		}
	})
}

func TestPackIsBoundedInBytes(t *testing.T) {
	play(t, func(t *testing.T, r *rig) {
		r.numbers(t, "k", 0, window)
		large := make([]byte, maxBytes/2)
		for _, mark := range []byte{'a', 'b', 'c'} {
			large[0] = mark
			r.send(t.Context(), "k", string(large))
		}
		r.broker.answer(nil)
		if got := r.broker.bodies(t)[window]; len(got) != 2 {
			t.Errorf("%d large messages are in a pack, want 2", len(got))
		}
	})
}

func TestPackHasLongestExpiration(t *testing.T) {
	play(t, func(t *testing.T, r *rig) {
		r.numbers(t, "k", 0, window)
		for _, e := range []time.Duration{2 * time.Second, 3 * time.Second, time.Second} {
			r.Send(t.Context(), amqpbus.Message{Exchange: "x", Key: "k", Expiration: e}, func(error) {})
		}
		r.broker.answer(nil)
		r.numbers(t, "k", 10, 11)
		r.Send(t.Context(), amqpbus.Message{Exchange: "x", Key: "k"}, func(error) {})
		r.broker.answer(nil)
		if a, b := r.broker.published[window].Expiration, r.broker.published[window+1].Expiration; a != 3*time.Second || b != 0 {
			t.Errorf("packs expire in %v and %v, want 3s and never", a, b)
		}
	})
}

// A destination whose confirms do not come holds no other one up.
func TestLanesAreApart(t *testing.T) {
	play(t, func(t *testing.T, r *rig) {
		r.numbers(t, "stuck", 0, window+1)
		r.numbers(t, "well", 100, 101)
		if got := r.broker.bodies(t); got[len(got)-1][0] != "100" {
			t.Errorf("published %v", got)
		}
	})
}

// TestMessageWithEndedContextIsNotSent: a message whose caller has stopped waiting is not sent.
func TestMessageWithEndedContextIsNotSent(t *testing.T) {
	play(t, func(t *testing.T, r *rig) {
		r.numbers(t, "k", 0, window)
		ctx, cancel := context.WithCancel(t.Context())
		r.send(ctx, "k", "gone")
		r.numbers(t, "k", 10, 11)
		cancel()
		r.broker.answer(nil)
		if got := r.broker.bodies(t); fmt.Sprint(got[window]) != "[10]" {
			t.Errorf("published %v", got)
		}
		if got := r.outcomes["gone"]; len(got) != 1 || !errors.Is(got[0], context.Canceled) {
			t.Errorf("its outcome is %v", got)
		}
	})
}

func TestPublishThatFails(t *testing.T) {
	play(t, func(t *testing.T, r *rig) {
		r.broker.refuse = amqpbus.ErrLinkLost
		r.numbers(t, "k", 0, 3)
		if fmt.Sprint(r.outcomes) != fmt.Sprintf("map[0:[%v] 1:[%[1]v] 2:[%[1]v]]", amqpbus.ErrLinkLost) {
			t.Errorf("outcomes %v", r.outcomes)
		}
		if len(r.lanes) != 0 {
			t.Errorf("%d lanes are left", len(r.lanes))
		}
	})
}

// Close gives up what waits; what was published has its outcome yet to come.
func TestClose(t *testing.T) {
	play(t, func(t *testing.T, r *rig) {
		r.numbers(t, "k", 0, window+2)
		r.Close()
		r.send(t.Context(), "k", "late")
		for _, body := range []string{"4", "5", "late"} {
			if got := r.outcomes[body]; len(got) != 1 || !errors.Is(got[0], amqpbus.ErrClosed) {
				t.Errorf("the outcome of %s is %v", body, got)
			}
		}
		for range window {
			r.broker.answer(nil)
		}
		for n := range window {
			if got := r.outcomes[fmt.Sprint(n)]; !slices.Equal(got, []error{nil}) {
				t.Errorf("the outcome of %d is %v", n, got)
			}
		}
	})
}

// Many send at once while confirms come late: each message arrives once and has
// one outcome, and those of one sender keep their order.
func TestManySenders(t *testing.T) {
	play(t, func(t *testing.T, r *rig) {
		const senders, each = 50, 100
		var confirmed sync.WaitGroup
		confirmed.Add(senders * each)
		var mu sync.Mutex
		arrived := map[byte][]byte{}
		publishes := 0
		p := New(func(_ context.Context, m amqpbus.Message, done func(error)) error {
			messages := []protocol.Packed{{Body: m.Body}}
			if m.Type == protocol.TypePack {
				var err error
				if messages, err = protocol.DecodePack(m.Body); err != nil {
					return err
				}
			}
			mu.Lock()
			defer mu.Unlock()
			publishes++
			for _, one := range messages {
				arrived[one.Body[0]] = append(arrived[one.Body[0]], one.Body[1])
			}
			time.AfterFunc(time.Millisecond, func() { done(nil) })
			return nil
		})
		for s := range byte(senders) {
			go func() {
				for n := range byte(each) {
					p.Send(t.Context(), amqpbus.Message{Body: []byte{s, n}}, func(error) { confirmed.Done() })
				}
			}()
		}
		confirmed.Wait()
		p.Close()
		for s := range byte(senders) {
			if got := arrived[s]; len(got) != each || !slices.IsSorted(got) {
				t.Errorf("of sender %d arrived %v", s, got)
			}
		}
		if most := senders * each / 10; publishes > most {
			t.Errorf("%d publishes for %d messages", publishes, senders*each)
		}
	})
}

// TestMessagesOfGoneCallersAreDropped: an alarm begins while four publishes are unconfirmed, which
// stay so for an hour. Callers meanwhile wait for 5 s and give up; their messages are dropped.
func TestMessagesOfGoneCallersAreDropped(t *testing.T) {
	play(t, func(t *testing.T, r *rig) {
		r.numbers(t, "k", 0, window)
		const askers = 3600
		told := 0
		for range askers {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			r.Send(ctx, amqpbus.Message{Exchange: "x", Key: "k", Body: make([]byte, 500)}, func(error) { told++ })
			time.AfterFunc(5*time.Second, cancel)
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		r.Packer.mu.Lock()
		left := 0
		for _, l := range r.lanes {
			left += len(l.waiting)
		}
		r.Packer.mu.Unlock()
		if left > askers/2 {
			t.Errorf("%d messages are kept of %d askers, who all have gone; %d were told", left, askers, told)
		}
	})
}

// Confirms are told in the order of publishing, as amqpbus.Publisher promises. A
// destination that gives none holds up the confirms of the others.
func TestLanesAreApartOnOnePublisher(t *testing.T) {
	play(t, func(t *testing.T, r *rig) {
		r.numbers(t, "stuck", 0, 1)
		for n := range 20 { // four seconds, five messages a second
			r.numbers(t, "well", 100+n, 101+n)
			time.Sleep(200 * time.Millisecond)
			synctest.Wait()
		}
		sent := 0
		for _, b := range r.broker.bodies(t)[1:] {
			sent += len(b)
		}
		if sent < 16 {
			t.Errorf("of 20 messages to a healthy destination %d were sent in 4 s: %v", sent, fmt.Sprint(r.broker.bodies(t)))
		}
	})
}
