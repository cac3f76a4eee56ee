package relay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/eventlog"
	"belfry/pkg/protocol"
)

func TestForgedAndMadeUpRepliesAreRefused(t *testing.T) {
	play(t, 1, func(t *testing.T, r *rig) {
		stranger := r.broker.Open("backend")
		defer func() { _ = stranger.Close(context.Background()) }()
		pub, err := stranger.OpenPublisher(t.Context(), 10)
		r.must(err)
		kind, reset := eventlog.Encode(1, eventlog.Reset{Gateway: string(self), Feed: 1, Cause: eventlog.CauseJump})
		r.sendAs(pub, kind, reset)
		r.sendAs(pub, protocol.TypeDisconnect, protocol.Encode(protocol.Disconnect{User: "7"}))
		for _, m := range []struct{ kind, body string }{
			{eventlog.TypeBatch, "\x01"}, {eventlog.TypeClaim, "{"}, {"unheard-of", "{}"}, {protocol.TypeDisconnect, `{"usr": 7}`},
			{protocol.TypePack, "\x02"},
			{protocol.TypePack, string(protocol.EncodePack([]protocol.Packed{{Type: protocol.TypePresence, Body: []byte("{}")}}))},
			{protocol.TypePack, string(protocol.EncodePack([]protocol.Packed{{Type: protocol.TypeDecision, Body: []byte("{")}}))},
		} {
			r.send(m.kind, []byte(m.body))
		}
		if len(r.sink.events) != 0 || len(r.sink.gaps) != 0 || len(r.sink.ended) != 0 {
			t.Errorf("delivered %v, gaps %v, ended %v", r.sink.events, r.sink.gaps, r.sink.ended)
		}
	})
}

func TestOrdersToDisconnectReachTheSink(t *testing.T) {
	play(t, 1, func(t *testing.T, r *rig) {
		orders := []protocol.Disconnect{{User: "7"}, {User: "7", SID: "s"}}
		for _, o := range orders {
			r.send(protocol.TypeDisconnect, protocol.Encode(o))
		}
		if !slices.Equal(r.sink.ended, orders) {
			t.Errorf("got %v, want %v", r.sink.ended, orders)
		}
	})
}

// TestWhatIsSentAgainToAllIsDoneOnce: a worker repeats an order while another gateway's
// queue is full.
func TestWhatIsSentAgainToAllIsDoneOnce(t *testing.T) {
	play(t, 1, func(t *testing.T, r *rig) {
		order := protocol.Encode(protocol.Disconnect{User: "7"})
		for _, id := range []string{"a", "a", "b", "a", "", ""} {
			r.publish(r.pub, amqpbus.Message{Type: protocol.TypeDisconnect, ID: id, Body: order})
		}
		if len(r.sink.ended) != 4 {
			t.Errorf("%d orders were done, want 4: two with an id, two without", len(r.sink.ended))
		}
	})
}

func TestRepeatsAreBounded(t *testing.T) {
	var r repeats
	for i := range 3 * maxRepeats {
		if r.again(strconv.Itoa(i)) {
			t.Fatalf("%d was new", i)
		}
	}
	if len(r.known) != maxRepeats || !r.again(strconv.Itoa(3*maxRepeats-1)) || r.again("0") {
		t.Errorf("%d ids are remembered", len(r.known))
	}
}

// TestAReportOfManyGroupsTravelsAlone: a batch must stay far below what a broker
// takes, or it would come back for ever.
func TestAReportOfManyGroupsTravelsAlone(t *testing.T) {
	play(t, 1, func(t *testing.T, r *rig) {
		var groups []protocol.Group
		for i := range 1000 {
			groups = append(groups, protocol.Group(fmt.Sprintf("%s-%d", strings.Repeat("g", 190), i)))
		}
		const many = 20
		for range many {
			r.relay.Report(protocol.LifeReport{Kind: protocol.LifeSubscribed, Groups: groups})
		}
		got := 0
		for batch := uint64(1); got < many; batch++ {
			synctest.Wait()
			for _, d := range ofType(r.take(amqpbus.QueueQuestions), protocol.TypeLife) {
				if len(d.Body) > 2*batchBytes {
					t.Fatalf("a batch has %d bytes", len(d.Body))
				}
				m, err := protocol.Decode[protocol.Life](d.Body)
				r.must(err)
				got += len(m.Reports)
			}
			r.send(protocol.TypeNoted, protocol.Encode(protocol.Noted{Batch: batch}))
		}
		for range maxBytes/(200*1000) + 10 { // no worker takes these
			r.relay.Report(protocol.LifeReport{Kind: protocol.LifeSubscribed, Groups: groups})
		}
		if r.relay.report.bytes > maxBytes || r.relay.report.full == false {
			t.Errorf("%d bytes wait, full %t", r.relay.report.bytes, r.relay.report.full)
		}
	})
}

func TestReportsComeOnceMoreUntilNoted(t *testing.T) {
	play(t, 1, func(t *testing.T, r *rig) {
		for i := range 3 {
			r.relay.Report(protocol.LifeReport{Kind: protocol.LifeOpened, Conn: protocol.ConnID(i + 1)})
		}
		synctest.Wait()
		first := ofType(r.take(amqpbus.QueueQuestions), protocol.TypeLife)
		pass(repeatAfter + time.Millisecond)
		again := ofType(r.take(amqpbus.QueueQuestions), protocol.TypeLife)
		if len(first) == 0 || len(again) != 1 {
			t.Fatalf("%d batches, then %d", len(first), len(again))
		}
		total := 0
		for batch := uint64(1); total < 3; batch++ {
			ds := ofType(again, protocol.TypeLife)
			m, err := protocol.Decode[protocol.Life](ds[0].Body)
			r.must(err)
			if m.Batch != batch {
				t.Fatalf("batch %d, want %d", m.Batch, batch)
			}
			for _, report := range m.Reports {
				total++
				if report.Conn != protocol.ConnID(total) || !strings.HasPrefix(report.ID, string(self)+"-") {
					t.Errorf("report %d is %+v", total, report)
				}
			}
			r.send(protocol.TypeNoted, protocol.Encode(protocol.Noted{Batch: batch}))
			r.send(protocol.TypeNoted, protocol.Encode(protocol.Noted{Batch: batch})) // said twice
			again = r.take(amqpbus.QueueQuestions)
		}
		r.must(r.relay.report.flush(t.Context()))
	})
}

func TestReadyNeedsAWorker(t *testing.T) {
	play(t, 1, func(t *testing.T, r *rig) {
		if why := r.relay.Ready(); len(why) != 1 || !strings.Contains(why[0], "no worker") {
			t.Fatalf("not ready because of %v", why)
		}
		presence := protocol.Encode(protocol.Presence{Worker: "worker.test"})
		r.send(protocol.TypePresence, presence)
		if why := r.relay.Ready(); len(why) != 0 {
			t.Fatalf("not ready because of %v", why)
		}
		pass(workerAway + time.Second)
		if why := r.relay.Ready(); len(why) != 1 {
			t.Fatalf("a silent worker: %v", why)
		}
		r.send(protocol.TypePresence, presence)
		r.broker.Block("memory")
		if why := r.relay.Ready(); len(why) != 1 || !strings.Contains(why[0], "memory") {
			t.Errorf("blocked: %v", why)
		}
		r.broker.Unblock()
		r.broker.Down()
		synctest.Wait()
		if why := r.relay.Ready(); len(why) < 2 {
			t.Errorf("without a broker: %v", why)
		}
		r.broker.Up()
	})
}

func TestStopSaysByeAndTakesItsQueue(t *testing.T) {
	play(t, 2, func(t *testing.T, r *rig) {
		r.must(r.worker.Declare(t.Context(), amqpbus.ReplyTopology(amqpbus.Layout{Shards: 2}, protocol.WorkerID("w"))))
		r.must(r.relay.Stop(t.Context()))
		ds := r.take(amqpbus.ReplyQueue("w"))
		if len(ds) == 0 || ds[len(ds)-1].Type != eventlog.TypeBye {
			t.Error("the last word to the workers is not bye")
		}
		_, err := r.worker.OpenConsumer(t.Context(), amqpbus.ConsumerOptions{Queue: amqpbus.ReplyQueue(string(self)), Prefetch: 1})
		if !errors.Is(err, amqpbus.ErrNoQueue) {
			t.Errorf("the reply queue is still there: %v", err)
		}
	})
}

func TestStopNamesWhatWasNotDone(t *testing.T) {
	play(t, 1, func(t *testing.T, r *rig) {
		r.relay.Report(protocol.LifeReport{Kind: protocol.LifeClosed, Conn: 1})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := r.relay.Stop(ctx)
		if err == nil || !strings.Contains(err.Error(), "1 connection reports") || strings.Contains(err.Error(), "interest") {
			t.Errorf("stopped with %v", err)
		}
		// No worker took the report; all else was done all the same.
		_, err = r.worker.OpenConsumer(t.Context(), amqpbus.ConsumerOptions{Queue: amqpbus.ReplyQueue(string(self)), Prefetch: 1})
		if !errors.Is(err, amqpbus.ErrNoQueue) {
			t.Errorf("the reply queue is still there: %v", err)
		}
	})
}
