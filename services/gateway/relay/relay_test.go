package relay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/membus"
	"belfry/pkg/protocol"
)

func TestJoinReturnsWhenTheInterestIsStored(t *testing.T) {
	play(t, 4, func(t *testing.T, r *rig) {
		groups := []protocol.Group{"jobs-summary", "job_events-1", "job_events-2", "job_events-3"}
		r.must(r.relay.Join(t.Context(), groups))
		var told []protocol.Group
		for shard := range 4 {
			for _, d := range ofType(r.take(amqpbus.ShardQueue(4, shard)), protocol.TypeInterest) {
				m, err := protocol.Decode[protocol.Interest](d.Body)
				r.must(err)
				for _, g := range m.Join {
					if protocol.ShardOf(g, 4) != shard {
						t.Errorf("%s was told to shard %d", g, shard)
					}
				}
				told = append(told, m.Join...)
			}
		}
		slices.Sort(told)
		slices.Sort(groups)
		if !slices.Equal(told, groups) {
			t.Errorf("told %v, want %v", told, groups)
		}
	})
}

func TestJoinGivesUpAndHoldsNothing(t *testing.T) {
	play(t, 1, func(t *testing.T, r *rig) {
		r.broker.Down()
		synctest.Wait()
		started := time.Now()
		err := r.relay.Join(t.Context(), []protocol.Group{"jobs-summary"})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(started) != joinWithin {
			t.Fatalf("after %v: %v", time.Since(started), err)
		}
		r.broker.Up()
		pass(3 * time.Second) // virtual: the links come back
		r.must(r.relay.Join(t.Context(), []protocol.Group{"jobs-1"}))
		var now []protocol.Group
		for _, d := range ofType(r.take(amqpbus.ShardQueue(1, 0)), protocol.TypeInterest) {
			m, err := protocol.Decode[protocol.Interest](d.Body)
			r.must(err)
			now = append(now, m.Join...)
		}
		if !slices.Equal(now, []protocol.Group{"jobs-1"}) {
			t.Errorf("told %v: the wait that gave up left a reference", now)
		}
	})
}

// TestQuestionsOfAStormTravelTogether asks many questions before the broker has
// confirmed the first: they travel as few messages, and so may their answers.
// TestQuestionIsAskedAgainOnTheNextLink loses a question with its link.
func TestEventsAndHoles(t *testing.T) {
	play(t, 1, func(t *testing.T, r *rig) {
		r.send(protocol.TypeAsk, protocol.Encode(protocol.Ask{Reign: reign(1)}))
		r.batch(1, 1, event("jobs-1", "a"), event("jobs-2", "b"))
		r.batch(1, 1, event("jobs-1", "a"), event("jobs-2", "b")) // delivered again
		r.batch(1, 2, event("jobs-1", "c"))
		if want := []string{"jobs-1 a", "jobs-2 b", "jobs-1 c"}; !slices.Equal(r.sink.events, want) {
			t.Fatalf("delivered %v, want %v", r.sink.events, want)
		}
		if len(r.sink.shards) != 0 {
			t.Fatal("a gap without a hole")
		}
		r.batch(1, 4, event("jobs-1", "e"))
		if !slices.Equal(r.sink.shards, []int{0}) {
			t.Fatalf("gaps %v after a hole", r.sink.shards)
		}
		r.send(protocol.TypeGap, protocol.Encode(protocol.Gap{Groups: []protocol.Group{"jobs-9"}}))
		if !slices.Equal(r.sink.gaps, []protocol.Group{"jobs-9"}) {
			t.Fatalf("gaps of groups %v", r.sink.gaps)
		}
		ask := ofType(r.take(amqpbus.ShardQueue(1, 0)), protocol.TypeHeartbeat)
		if len(ask) == 0 {
			t.Error("no heartbeat was told")
		}
	})
}

func TestForgedAndMadeUpRepliesAreRefused(t *testing.T) {
	play(t, 1, func(t *testing.T, r *rig) {
		stranger := r.broker.Open("backend")
		defer func() { _ = stranger.Close(context.Background()) }()
		pub, err := stranger.OpenPublisher(t.Context(), 10)
		r.must(err)
		forged := protocol.Batch{Reign: reign(1 << 60), Mode: protocol.ModeFlood, Sequence: 1, Events: []protocol.Event{event("jobs-1", "x")}}
		r.sendAs(pub, protocol.TypeBatch, forged.Encode())
		r.sendAs(pub, protocol.TypeGap, protocol.Encode(protocol.Gap{}))
		r.sendAs(pub, protocol.TypeDisconnect, protocol.Encode(protocol.Disconnect{User: "7"}))
		for _, m := range []struct{ kind, body string }{
			{protocol.TypeBatch, "\x01"}, {protocol.TypePulse, "{"}, {"unheard-of", "{}"},
			{protocol.TypeAsk, `{"shard": 7, "epoch": 1, "worker": "w"}`}, {protocol.TypeGap, `{"shard": -1}`}, {protocol.TypeDisconnect, `{"usr": 7}`},
			{protocol.TypePack, "\x02"},
			{protocol.TypePack, string(protocol.EncodePack([]protocol.Packed{{Type: protocol.TypeGap, Body: []byte("{}")}}))},
			{protocol.TypePack, string(protocol.EncodePack([]protocol.Packed{{Type: protocol.TypeDecision, Body: []byte("{")}}))},
		} {
			r.send(m.kind, []byte(m.body))
		}
		r.batch(1, 1, event("jobs-1", "real"))
		if !slices.Equal(r.sink.events, []string{"jobs-1 real"}) || len(r.sink.shards) != 0 || len(r.sink.gaps) != 0 || len(r.sink.ended) != 0 {
			t.Errorf("delivered %v, gaps %v %v", r.sink.events, r.sink.shards, r.sink.gaps)
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

// TestWhatIsSentAgainToAllIsDoneOnce: a worker repeats a gap and an order while
// another gateway's queue is full.
func TestWhatIsSentAgainToAllIsDoneOnce(t *testing.T) {
	play(t, 1, func(t *testing.T, r *rig) {
		gap := protocol.Encode(protocol.Gap{Groups: []protocol.Group{"jobs-1"}})
		order := protocol.Encode(protocol.Disconnect{User: "7"})
		for _, id := range []string{"a", "a", "b", "a", "", ""} {
			for kind, body := range map[string][]byte{protocol.TypeGap: gap, protocol.TypeDisconnect: order} {
				full := id
				if full != "" {
					full += kind
				}
				r.publish(r.pub, amqpbus.Message{Type: kind, ID: full, Body: body})
			}
		}
		if len(r.sink.gaps) != 4 || len(r.sink.ended) != 4 {
			t.Errorf("%d gaps and %d orders were done, want 4: two with an id, two without", len(r.sink.gaps), len(r.sink.ended))
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

// TestNotReadyWithoutARoute: what is let in would hear nothing.
func TestNotReadyWithoutARoute(t *testing.T) {
	play(t, 2, func(t *testing.T, r *rig) {
		heard := func(shards ...int) []string {
			r.send(protocol.TypePresence, protocol.Encode(protocol.Presence{Worker: "worker.test"}))
			for _, shard := range shards {
				r.send(protocol.TypePulse, protocol.Encode(protocol.Pulse{Reign: protocol.Reign{Shard: shard, Epoch: 1, Worker: "worker.test"}, Member: true}))
			}
			return r.relay.Ready()
		}
		for range 20 {
			if why := heard(0, 1); len(why) != 0 {
				t.Fatalf("not ready because of %v", why)
			}
			pass(2 * time.Second)
		}
		for range 20 {
			heard(0)
			pass(2 * time.Second)
		}
		if why := heard(0); len(why) != 1 || !strings.Contains(why[0], "1 of 2 shards") {
			t.Fatalf("not ready because of %v", why)
		}
		heard(0, 1)
		pass(time.Second)
		if why := heard(0, 1); len(why) != 0 {
			t.Fatalf("the route is back: %v", why)
		}
	})
}

func TestNoRouteForLongClosesEverybody(t *testing.T) {
	play(t, 1, func(t *testing.T, r *rig) {
		r.batch(1, 1, event("jobs-1", "a"))
		pass(2 * time.Minute)
		if !slices.Equal(r.sink.closed, []protocol.CloseCode{protocol.CloseTryLater}) {
			t.Errorf("closed with %v", r.sink.closed)
		}
		if !slices.Equal(r.sink.shards, []int{0}) {
			t.Errorf("gaps %v", r.sink.shards)
		}
	})
}

func TestStopSaysByeAndTakesItsQueue(t *testing.T) {
	play(t, 2, func(t *testing.T, r *rig) {
		r.must(r.relay.Join(t.Context(), []protocol.Group{"jobs-1"}))
		r.must(r.relay.Stop(t.Context()))
		for shard := range 2 {
			ds := r.take(amqpbus.ShardQueue(2, shard))
			if len(ds) == 0 || ds[len(ds)-1].Type != protocol.TypeBye {
				t.Errorf("the last word to shard %d is not bye", shard)
			}
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
		if ds := r.take(amqpbus.ShardQueue(1, 0)); len(ds) == 0 || ds[len(ds)-1].Type != protocol.TypeBye {
			t.Error("the last word to the shard is not bye")
		}
		_, err = r.worker.OpenConsumer(t.Context(), amqpbus.ConsumerOptions{Queue: amqpbus.ReplyQueue(string(self)), Prefetch: 1})
		if !errors.Is(err, amqpbus.ErrNoQueue) {
			t.Errorf("the reply queue is still there: %v", err)
		}
	})
}

// counted counts the consumers that are opened.
type counted struct {
	amqpbus.Bus
	opened atomic.Int32
}

func (c *counted) OpenConsumer(ctx context.Context, o amqpbus.ConsumerOptions) (amqpbus.Consumer, error) {
	c.opened.Add(1)
	return c.Bus.OpenConsumer(ctx, o)
}

// TestDeafConsumer hears nothing for long: the queue is declared and consumed
// again, but not while the broker blocks publishers.
func TestDeafConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := membus.New()
		bus := &counted{Bus: broker.Open("gateway")}
		defer func() { _ = bus.Close(context.Background()) }()
		relay, err := New(Options{Bus: bus, Sink: &sink{}, Gateway: self, Shards: 1})
		if err != nil {
			t.Fatal(err)
		}
		relay.Start()
		defer func() { _ = relay.Stop(context.Background()) }()
		for _, step := range []struct {
			blocked string
			want    int32
		}{{"", 1}, {"a test", 1}, {"", 1}, {"", 2}} {
			broker.Block(step.blocked)
			pass(deafAfter - time.Second)
			if got := bus.opened.Load(); got != step.want {
				t.Errorf("%q: %d consumers were opened, want %d", step.blocked, got, step.want)
			}
		}
	})
}
