package leading

import (
	"context"
	"crypto/rand"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/sender"
	"belfry/pkg/inbox"
	"belfry/services/worker/lead"
)

const tickEvery = 100 * time.Millisecond

// log drives the machines of one log. Its goroutine owns everything but inbox, sender
// and the atomic fields.
type log struct {
	of     *Leading
	number int
	logger *zap.Logger
	inbox  *inbox.Inbox
	sender *sender.Sender

	machine  *lead.Machine
	filler   *lead.Filler
	roster   *lead.Roster // of log 0 alone
	brought  chan brought
	readings map[readingKey]*reading
	failed   int // readings that ended one after the other and brought nothing
	batons   map[uint64]baton
	last     uint64             // number of a baton
	leave    context.CancelFunc // ends the present turn; nil: there is none

	ctx     context.Context // of the readings; ends with the driver
	reading sync.WaitGroup  // their goroutines

	up    atomic.Bool // the lead queue is consumed
	leads atomic.Bool
}

// baton is an unacked message of the lead queue.
type baton struct {
	consumer amqpbus.Consumer
	delivery amqpbus.Delivery
}

func newLog(of *Leading, number int) *log {
	o := of.options(number)
	l := &log{
		of: of, number: number, logger: of.log.With(zap.Int("log", number)),
		inbox: inbox.New(), sender: sender.New(sender.Options{Bus: of.o.Bus, Window: 1000}),
		machine: lead.New(o), filler: lead.NewFiller(o),
		brought: make(chan brought), readings: map[readingKey]*reading{}, batons: map[uint64]baton{},
	}
	if number == 0 {
		l.roster = lead.NewRoster()
	}
	return l
}

func markID() string { return rand.Text() }

func (l *log) start(ctx context.Context, running *sync.WaitGroup) {
	l.ctx = ctx
	running.Go(func() {
		amqpbus.Keep(ctx, time.Second, l.turn, l.lost)
	})
	running.Go(func() {
		l.loop(ctx)
		l.reading.Wait()
	})
}

// loop feeds the machines until ctx ends.
func (l *log) loop(ctx context.Context) {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	last := time.Now()
	l.machine.Start()
	for {
		l.perform()
		select {
		case <-l.inbox.Ready():
			l.inbox.Do()
		case b := <-l.brought:
			l.read(b)
		case now := <-ticker.C:
			l.tick(now.Sub(last))
			last = now
		case <-ctx.Done():
			return
		}
	}
}

// tick lets time pass, but not while the broker blocks: nobody can speak then.
func (l *log) tick(d time.Duration) {
	l.of.metrics.stats(l.number, l.machine.Stats())
	if l.of.o.Bus.Health().Blocked != "" {
		return
	}
	l.machine.Tick(d)
	l.filler.Tick(d)
	if l.roster != nil {
		_, leading := l.machine.Leading()
		l.roster.Tick(d, leading)
	}
}

// take gives the machine a message of the reply queue, and the roster whose it is, if it
// is a gateway's. It may be called concurrently.
func (l *log) take(gateway string, message any) {
	l.inbox.Put(func() {
		if l.roster != nil && gateway != "" {
			l.roster.Heard(gateway)
		}
		l.machine.Take(message)
	})
}

// tellLeading notes and logs when leading begins and ends.
func (l *log) tellLeading() {
	me, leading := l.machine.Leading()
	if l.leads.Swap(leading) == leading {
		return
	}
	gauge := l.of.metrics.leading.WithLabelValues(strconv.Itoa(l.number))
	gauge.Set(0)
	if leading {
		gauge.Set(1)
		l.of.metrics.terms.WithLabelValues(strconv.Itoa(l.number)).Inc()
		l.logger.Info("leading the log", zap.Uint64("term", me.Term))
	} else {
		l.logger.Info("no longer leading the log")
	}
}
