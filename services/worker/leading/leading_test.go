package leading

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/membus"
	"belfry/pkg/amqpbus/trust"
	"belfry/pkg/eventlog"
	"belfry/services/worker/lead"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a worker on a broker in memory.
type rig struct {
	t       *testing.T
	broker  *membus.Broker
	bus     amqpbus.Bus
	leading *Leading
}

func play(t *testing.T, shards int, test func(r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, broker: membus.New()}
		r.bus = r.broker.Open("worker")
		layout := amqpbus.Layout{Shards: shards}
		for _, topology := range []amqpbus.Topology{amqpbus.SharedTopology(layout), amqpbus.LogTopology(layout)} {
			if err := r.bus.Declare(t.Context(), topology); err != nil {
				t.Fatal(err)
			}
		}
		var err error
		r.leading, err = New(Options{
			Bus: r.bus, Worker: "w.1", Layout: layout,
			Gateways: trust.New("", []string{"gateway"}, nil), Workers: trust.New("", []string{"worker"}, nil),
		})
		if err != nil {
			t.Fatal(err)
		}
		r.leading.Start()
		defer func() {
			if err := r.leading.Stop(context.Background()); err != nil {
				t.Error(err)
			}
			_ = r.bus.Close(context.Background())
		}()
		r.pass(time.Second)
		test(r)
	})
}

func (r *rig) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (r *rig) leads(want ...int) {
	r.t.Helper()
	if got := r.leading.Leads(); !slices.Equal(got, want) {
		r.t.Errorf("it leads the logs %v, want %v", got, want)
	}
}

// TestLeadsAllLogs: one worker alone leads them all, and marks stand in each.
func TestLeadsAllLogs(t *testing.T) {
	play(t, 3, func(r *rig) {
		r.leads(0, 1, 2, 3)
		if why := r.leading.Ready(); len(why) != 0 {
			r.t.Errorf("not ready: %v", why)
		}
		for log := range 4 {
			entries := r.broker.Core().LogEntries(amqpbus.LogQueue(3, log))
			if len(entries) == 0 || entries[0].Type != lead.MarkType {
				r.t.Errorf("log %d holds %v", log, entries)
			}
		}
	})
}

// TestWhoCannotSendDoesNotLead: the end of the publishing link alone ends leading.
func TestWhoCannotSendDoesNotLead(t *testing.T) {
	play(t, 1, func(r *rig) {
		r.leads(0)
		other := r.broker.Open("worker")
		defer func() { _ = other.Close(context.Background()) }()
		con, err := other.OpenConsumer(r.t.Context(), amqpbus.ConsumerOptions{Queue: amqpbus.LeadQueue(1, 0), Prefetch: 1})
		if err != nil {
			r.t.Fatal(err)
		}
		defer func() { _ = con.Close() }()
		r.broker.CutPublishing(r.bus)
		r.pass(time.Second)
		r.leads()
		ctx, cancel := context.WithTimeout(r.t.Context(), time.Millisecond)
		defer cancel()
		if got, err := con.Receive(ctx, 1); err != nil || len(got) != 1 {
			r.t.Errorf("the next worker got %v, %v", got, err)
		}
	})
}

// TestAHigherTermEndsLeading, and the worker leads again with a higher one.
func TestAHigherTermEndsLeading(t *testing.T) {
	play(t, 1, func(r *rig) {
		gateway := r.broker.Open("gateway")
		defer func() { _ = gateway.Close(context.Background()) }()
		stranger := r.broker.Open("stranger")
		defer func() { _ = stranger.Close(context.Background()) }()
		const term = uint64(1) << 50
		for _, by := range []amqpbus.Bus{stranger, gateway} {
			kind, body := eventlog.Encode(1, eventlog.Stale{Gateway: "g", Leader: eventlog.Leader{Term: term, Worker: "v"}})
			r.publish(by, amqpbus.Message{Exchange: amqpbus.ExchangeReply, Key: "w.1", Type: kind, Body: body})
			r.pass(3 * time.Second)
			r.leads(0)
			if me, _ := r.leading.logs[0].machine.Leading(); me.Term > term != (by == gateway) {
				r.t.Errorf("%s spoke, and it leads with term %d", by.User(), me.Term)
			}
		}
	})
}

func (r *rig) publish(by amqpbus.Bus, m amqpbus.Message) {
	r.t.Helper()
	pub, err := by.OpenPublisher(r.t.Context(), 1)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = pub.Close() }()
	verdict := make(chan error, 1)
	m.Mandatory = true
	if err := pub.Publish(r.t.Context(), m, func(err error) { verdict <- err }); err != nil {
		r.t.Fatal(err)
	}
	if err := <-verdict; err != nil {
		r.t.Fatal(err)
	}
}

// TestReadersDoNotStorm: while the broker refuses readers they are opened less and less
// often, and when it serves them again the log is read.
func TestReadersDoNotStorm(t *testing.T) {
	play(t, 1, func(r *rig) {
		var opened atomic.Int64
		r.broker.SetLogHook(func(string, amqpbus.LogReaderOptions) membus.LogFate {
			opened.Add(1)
			return membus.LogRefused
		})
		r.broker.CutReading(r.bus)
		r.pass(2 * time.Minute)
		if n := opened.Load(); n < 10 || n > 80 {
			r.t.Errorf("in two minutes %d readers were opened", n)
		}
		r.leads(0)
		r.broker.SetLogHook(nil)
		r.pass(20 * time.Second)
		before := len(r.dead())
		r.publish(r.bus, amqpbus.Message{Exchange: amqpbus.ExchangeEmit, Key: "nodash", Body: []byte("1")})
		r.pass(time.Second)
		if got := len(r.dead()); got != before+1 {
			r.t.Errorf("an event without a group was not read: %d are parked", got)
		}
	})
}

// TestALogThatIsDeleted is declared again, and read.
func TestALogThatIsDeleted(t *testing.T) {
	play(t, 1, func(r *rig) {
		log := amqpbus.LogQueue(1, 0)
		if err := r.bus.Delete(r.t.Context(), log); err != nil {
			r.t.Fatal(err)
		}
		r.pass(2 * time.Second)
		if r.broker.Core().Exists(log) {
			r.t.Error("it was declared at once: a cluster may be failing over")
		}
		r.pass(time.Minute)
		r.publish(r.bus, amqpbus.Message{Exchange: amqpbus.ExchangeEmit, Key: "nodash", Body: []byte("1")})
		r.pass(time.Second)
		if got := r.dead(); len(got) != 1 {
			r.t.Errorf("what was emitted afterwards was not read: %d are parked", len(got))
		}
	})
}

// dead is what is parked, put back afterwards.
func (r *rig) dead() []amqpbus.Delivery {
	r.t.Helper()
	con, err := r.bus.OpenConsumer(r.t.Context(), amqpbus.ConsumerOptions{Queue: amqpbus.QueueDead, Prefetch: 100})
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = con.Close() }()
	synctest.Wait()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Millisecond)
	defer cancel()
	all, _ := con.Receive(ctx, 100) // nothing is there, or it is returned
	return all
}

// TestWhatAnEntrySays: a mark is a worker's alone, and a header names the group on our own
// emitters' exchange alone.
func TestWhatAnEntrySays(t *testing.T) {
	play(t, 1, func(r *rig) {
		l := r.leading.logs[0]
		headers := map[string]string{amqpbus.HeaderGroup: "jobs-2", amqpbus.HeaderTrace: "00-a"}
		entry := func(user, exchange, kind string) eventlog.Entry {
			return l.entryOf(&amqpbus.LogEntry{Offset: 7, UserID: user, Message: amqpbus.Message{
				Exchange: exchange, Key: "jobs-1", Type: kind, ID: "id", Timestamp: 5, Headers: headers, Body: []byte("1"),
			}})
		}
		if e := entry("worker", amqpbus.EmitLogs(1), lead.MarkType); e.Type != lead.MarkType {
			r.t.Errorf("a worker's mark is of type %q", e.Type)
		}
		if e := entry("backend", amqpbus.ExchangeEmit, lead.MarkType); e.Type == lead.MarkType {
			r.t.Error("a backend's event is taken for a mark")
		}
		if e := entry("backend", amqpbus.ExchangeEmit, ""); e.Group != "" || e.Key != "jobs-1" || e.Offset != 7 || e.Timestamp != 5 || e.Trace != "00-a" {
			r.t.Errorf("a foreign event: %+v", e)
		}
		if e := entry("backend", amqpbus.EmitLogs(1), ""); e.Group != "jobs-2" {
			r.t.Errorf("our emitter's event is of group %q", e.Group)
		}
	})
}
