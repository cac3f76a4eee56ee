package life

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const self protocol.GatewayID = "gateway.test"

// sender plays a broker with outcomes that the test chooses. It records the messages that
// it accepted, in order.
type sender struct {
	mu      sync.Mutex
	taken   []amqpbus.Message
	verdict func(m amqpbus.Message) error // nil: all is taken; called with mu held
	before  func()                        // called first, without mu; nil: nothing
}

// SendAll accepts nothing after a lost link, like confirm.Publisher.
func (s *sender) SendAll(ctx context.Context, messages []amqpbus.Message) []error {
	if s.before != nil {
		s.before()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]error, len(messages))
	for i, m := range messages {
		err := ctx.Err()
		if i > 0 && errors.Is(out[i-1], amqpbus.ErrLinkLost) {
			err = amqpbus.ErrLinkLost
		}
		if err == nil && s.verdict != nil {
			err = s.verdict(m)
		}
		if out[i] = err; err == nil {
			s.taken = append(s.taken, m)
		}
	}
	return out
}

// firstWaits makes the first call, and no other, wait until release is closed.
func firstWaits(release <-chan struct{}) func() {
	var called atomic.Bool
	return func() {
		if called.CompareAndSwap(false, true) {
			<-release
		}
	}
}

// events returns the message ids on belfry.events, in order; notes returns the batches that
// were noted.
func (s *sender) events() (ids []string, notes []uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.taken {
		if m.Exchange == amqpbus.ExchangeEvents {
			ids = append(ids, m.ID)
			continue
		}
		if noted, err := protocol.Decode[protocol.Noted](m.Body); err == nil && m.Type == protocol.TypeNoted {
			notes = append(notes, noted.Batch)
		}
	}
	return ids, notes
}

func batchOf(number uint64, kinds ...protocol.LifeKind) protocol.Life {
	b := protocol.Life{Gateway: self, Batch: number}
	for i, kind := range kinds {
		b.Reports = append(b.Reports, protocol.LifeReport{
			ID: fmt.Sprintf("%s-%d.%d", self, number, i+1), Kind: kind, Gateway: self, Conn: 9, User: json.RawMessage("7"), At: 1,
		})
	}
	return b
}

func expect(t *testing.T, s *sender, ids string, notes string) {
	t.Helper()
	gotIDs, gotNotes := s.events()
	for i, id := range gotIDs {
		gotIDs[i] = strings.TrimPrefix(id, string(self)+"-")
	}
	if fmt.Sprint(gotIDs) != ids || fmt.Sprint(gotNotes) != notes {
		t.Errorf("published %v and noted %v, want %s and %s", gotIDs, gotNotes, ids, notes)
	}
}

// TestBatchIsPublishedInOrderThenNoted: each report is published with its own id and key.
func TestBatchIsPublishedInOrderThenNoted(t *testing.T) {
	s := &sender{}
	k := New(s, "worker.test", NewMetrics(nil))
	batch := batchOf(1, protocol.LifeOpened, protocol.LifeSubscribed, protocol.LifeClosed)
	batch.Reports[1].Groups = []protocol.Group{"a-1"}
	batch.Reports[2].Code, batch.Reports[2].Reason, batch.Reports[2].Duration = protocol.CloseGoingAway, "lost", 5
	if err := k.Keep(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if err := k.Keep(t.Context(), batchOf(2, protocol.LifeOpened)); err != nil {
		t.Fatal(err)
	}
	expect(t, s, "[1.1 1.2 1.3 2.1]", "[1 2]")
	for i, key := range []string{"connection.opened", "connection.subscribed", "connection.closed"} {
		m := s.taken[i]
		if m.Exchange != amqpbus.ExchangeEvents || m.Key != key || m.Type != key || m.Mandatory {
			t.Errorf("report %d went out as %+v", i+1, m)
		}
		got, err := protocol.Decode[protocol.LifeReport](m.Body)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(batch.Reports[i]) {
			t.Errorf("report %d went out as %+v, %v", i+1, got, err)
		}
	}
	note := s.taken[3]
	if note.Exchange != amqpbus.ExchangeReply || note.Key != string(self) || note.ReplyTo != "worker.test" || !note.Mandatory {
		t.Errorf("noted by %+v", note)
	}
}

// TestRepeatedBatchIsNotPublishedAgain: a gateway that missed the note repeats its batch,
// which is noted again and not published again. An older batch is dropped.
func TestRepeatedBatchIsNotPublishedAgain(t *testing.T) {
	s, m := &sender{}, NewMetrics(nil)
	k := New(s, "worker.test", m)
	for _, batch := range []protocol.Life{
		batchOf(1, protocol.LifeOpened), batchOf(1, protocol.LifeOpened),
		batchOf(2, protocol.LifeClosed), batchOf(1, protocol.LifeOpened), batchOf(2, protocol.LifeClosed),
	} {
		if err := k.Keep(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, s, "[1.1 2.1]", "[1 1 2 2]")
	if n := testutil.ToFloat64(m.batches.WithLabelValues(batchRepeated)); n != 3 {
		t.Errorf("%v repeated batches were counted, want 3", n)
	}
}

// TestCopiesAtTheSameTime: copies of a batch that arrive at the same time are published
// once, and another gateway's batch does not wait for them.
func TestCopiesAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := &sender{before: firstWaits(release)}
		k := New(s, "worker.test", NewMetrics(nil))
		var copies sync.WaitGroup
		for range 5 {
			copies.Go(func() {
				if err := k.Keep(t.Context(), batchOf(1, protocol.LifeOpened, protocol.LifeClosed)); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		other := batchOf(1, protocol.LifeOpened)
		other.Gateway, other.Reports[0].ID = "gateway.other", "other"
		if err := k.Keep(t.Context(), other); err != nil {
			t.Fatal(err)
		}
		expect(t, s, "[other]", "[1]")
		close(release)
		copies.Wait()
		expect(t, s, "[other 1.1 1.2]", "[1 1 1 1 1 1]")
	})
}

// TestWaitEndsWithContext: a call that waits for the gateway's previous batch ends with its
// own context.
func TestWaitEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := &sender{before: func() { <-release }}
		k := New(s, "worker.test", NewMetrics(nil))
		var holder sync.WaitGroup
		holder.Go(func() { _ = k.Keep(t.Context(), batchOf(1, protocol.LifeOpened)) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := k.Keep(ctx, batchOf(2, protocol.LifeClosed)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		close(release)
		holder.Wait()
		expect(t, s, "[1.1]", "[1]")
	})
}

// TestLinkLostInTheMiddle: the batch is not noted and the gateway sends it again. A consumer
// that drops repeated ids sees each report once, opened before closed.
func TestLinkLostInTheMiddle(t *testing.T) {
	s, m := &sender{}, NewMetrics(nil)
	lost := false
	s.verdict = func(m amqpbus.Message) error {
		if strings.HasSuffix(m.ID, ".2") && !lost {
			lost = true
			return amqpbus.ErrLinkLost
		}
		return nil
	}
	k := New(s, "worker.test", m)
	batch := batchOf(1, protocol.LifeOpened, protocol.LifeSubscribed, protocol.LifeClosed)
	if err := k.Keep(t.Context(), batch); !errors.Is(err, amqpbus.ErrLinkLost) {
		t.Errorf("got %v", err)
	}
	expect(t, s, "[1.1]", "[]")
	if err := k.Keep(t.Context(), batch); err != nil {
		t.Error(err)
	}
	ids, notes := s.events()
	var once []string
	for _, id := range ids {
		if !slices.Contains(once, id) {
			once = append(once, id)
		}
	}
	if want := []string{"gateway.test-1.1", "gateway.test-1.2", "gateway.test-1.3"}; !slices.Equal(once, want) || len(notes) != 1 {
		t.Errorf("read %v, noted %v", once, notes)
	}
	if n := testutil.ToFloat64(m.batches.WithLabelValues(batchFailed)); n != 1 {
		t.Errorf("%v failed batches were counted", n)
	}
}

// TestLostNote: if a note is lost, the next copy of the batch is noted and not published.
func TestLostNote(t *testing.T) {
	s := &sender{}
	lost := false
	s.verdict = func(m amqpbus.Message) error {
		if m.Type == protocol.TypeNoted && !lost {
			lost = true
			return amqpbus.ErrRefused
		}
		return nil
	}
	k := New(s, "worker.test", NewMetrics(nil))
	if err := k.Keep(t.Context(), batchOf(1, protocol.LifeOpened)); !errors.Is(err, amqpbus.ErrRefused) {
		t.Errorf("got %v", err)
	}
	if err := k.Keep(t.Context(), batchOf(1, protocol.LifeOpened)); err != nil {
		t.Error(err)
	}
	expect(t, s, "[1.1]", "[1]")
}

// TestRefusedReportsAndGoneGateways: a service whose queue is full delays nobody, and it is
// not an error that the gateway is gone.
func TestRefusedReportsAndGoneGateways(t *testing.T) {
	s, m := &sender{}, NewMetrics(nil)
	s.verdict = func(m amqpbus.Message) error {
		switch {
		case m.Type == protocol.TypeNoted:
			return amqpbus.ErrUnroutable
		case strings.HasSuffix(m.ID, ".1"):
			return amqpbus.ErrRefused
		}
		return nil
	}
	k := New(s, "worker.test", m)
	if err := k.Keep(t.Context(), batchOf(1, protocol.LifeOpened, protocol.LifeClosed)); err != nil {
		t.Error(err)
	}
	expect(t, s, "[1.2]", "[]")
	if n := testutil.ToFloat64(m.reports.WithLabelValues(reportRefused)); n != 1 {
		t.Errorf("%v refused reports were counted", n)
	}
}

// TestUnknownReportsAreSkipped: reports of an unknown kind, or with an id that is too long
// for AMQP, are skipped, and their batch is noted.
func TestUnknownReportsAreSkipped(t *testing.T) {
	s, m := &sender{}, NewMetrics(nil)
	k := New(s, "worker.test", m)
	batch := batchOf(1, "gateway_lost", "", "opened.#", protocol.LifeOpened, protocol.LifeClosed)
	batch.Reports[4].ID = strings.Repeat("x", maxID+1)
	if err := k.Keep(t.Context(), batch); err != nil {
		t.Error(err)
	}
	expect(t, s, "[1.4]", "[1]")
	if n := testutil.ToFloat64(m.reports.WithLabelValues(reportUnknown)); n != 4 {
		t.Errorf("%v unknown reports were counted", n)
	}
}

// TestGatewaysAreForgotten: the number of remembered gateways is bounded, and a gateway
// whose batch is being published is not forgotten.
func TestGatewaysAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := &sender{before: firstWaits(release)}
		k := New(s, "worker.test", NewMetrics(nil))
		var holder sync.WaitGroup
		holder.Go(func() { _ = k.Keep(t.Context(), batchOf(1, protocol.LifeOpened)) })
		synctest.Wait()
		for i := range maxGateways + 100 {
			batch := protocol.Life{Gateway: protocol.GatewayID(fmt.Sprintf("g%d.1", i)), Batch: 1}
			if err := k.Keep(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(k.gateways); n > maxGateways {
			t.Errorf("%d gateways are remembered, the bound is %d", n, maxGateways)
		}
		close(release)
		holder.Wait()
		if err := k.Keep(t.Context(), batchOf(1, protocol.LifeOpened)); err != nil {
			t.Fatal(err)
		}
		if ids, _ := s.events(); len(ids) != 1 {
			t.Errorf("a gateway at work was forgotten: published %v", ids)
		}
	})
}
