package rabbit

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/zap"

	"belfry/pkg/amqpbus"
)

// A cluster can forget a publish. What goes to a quorum queue whose leader hangs,
// and is not known to be gone, is confirmed when that node is back; or the
// channel waits for the leader in vain, refuses, and does so with each publish
// after it. A new channel finds the new leader, so the old one is given up.
const (
	// verdictWithin bounds the time without any verdict, while the broker does
	// not block the link.
	verdictWithin = 10 * time.Second
	// refusalWithin bounds it before a refusal: a full queue refuses at once.
	refusalWithin = 3 * time.Second
)

// publisher is one channel with confirms. One goroutine, settle, reads the
// confirms in the order of publishing and owns the returns.
type publisher struct {
	bus     *bus
	ch      *amqp.Channel
	slots   chan struct{} // one for each publish without a verdict; capacity is the window
	pending chan pending  // in the order of publishing; never blocks, slots bounds it
	returns chan amqp.Return
	ended   chan struct{} // closed when the channel ended, or was given up
	done    chan struct{} // closed when every done was called

	left   chan struct{} // closed by leave: no verdict is awaited any more
	giveUp sync.Once     // closes left

	sending sync.Mutex // held while one message is written
	number  uint64     // guarded by sending: of the last publish, its correlation id

	mu      sync.Mutex
	closed  bool  // guarded by mu
	byOwner bool  // guarded by mu; Close was called
	why     error // guarded by mu until ended is closed: ErrLinkLost, and the broker's reason
}

// pending is a publish without a verdict.
type pending struct {
	confirm *amqp.DeferredConfirmation
	number  uint64
	started time.Time
	done    func(error)
}

func (b *bus) OpenPublisher(ctx context.Context, window int) (amqpbus.Publisher, error) {
	if window < 1 || window > 1000 {
		return nil, fmt.Errorf("open publisher: the window is %d, it must be 1 to 1,000", window)
	}
	ch, err := b.publish.channel(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := await(ctx, func() (struct{}, error) { return struct{}{}, ch.Confirm(false) }, nil); err != nil {
		closeChannel(ch)
		return nil, fmt.Errorf("ask for confirms: %w: %w", amqpbus.ErrLinkLost, err)
	}
	p := &publisher{
		bus: b, ch: ch, slots: make(chan struct{}, window), pending: make(chan pending, window),
		// The library drops a return that finds no room: more than the window
		// can never be outstanding.
		returns: ch.NotifyReturn(make(chan amqp.Return, window+1)),
		ended:   make(chan struct{}), done: make(chan struct{}), left: make(chan struct{}), why: amqpbus.ErrLinkLost,
	}
	lost := ch.NotifyClose(make(chan *amqp.Error, 1))
	go func() {
		select {
		case e := <-lost:
			why := b.ended("publishes", e)
			p.mu.Lock()
			p.why = why
			p.mu.Unlock()
		case <-p.left:
		}
		close(p.ended)
	}()
	go p.settle()
	return p, nil
}

func (p *publisher) Publish(ctx context.Context, m amqpbus.Message, done func(error)) error {
	if err := checkMessage(m); err != nil {
		return err
	}
	if err := p.bus.waitUnblocked(ctx); err != nil {
		return err
	}
	if err := p.closedNow(); err != nil {
		return err
	}
	// Room in the window first: nothing is sent that could not be awaited.
	select {
	case p.slots <- struct{}{}:
	case <-p.ended:
		return p.whyEnded()
	case <-ctx.Done():
		return fmt.Errorf("publish: too many messages wait for the broker to confirm them: %w", ctx.Err())
	}
	if err := p.send(ctx, m, done); err != nil {
		<-p.slots
		return err
	}
	return nil
}

// send keeps the order of pending the order of publishing.
func (p *publisher) send(ctx context.Context, m amqpbus.Message, done func(error)) error {
	p.sending.Lock()
	defer p.sending.Unlock()
	if err := p.closedNow(); err != nil {
		return err
	}
	p.number++
	confirm, err := p.ch.PublishWithDeferredConfirmWithContext(ctx, m.Exchange, m.Key, m.Mandatory, false, p.publishing(m))
	if err != nil {
		return fmt.Errorf("publish: %w: %w", amqpbus.ErrLinkLost, err)
	}
	p.pending <- pending{confirm: confirm, number: p.number, started: time.Now(), done: done}
	return nil
}

// whyEnded is the error of a publisher whose channel ended.
func (p *publisher) whyEnded() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closedLocked()
}

// closedNow is the error of a publisher that was closed, or nil.
func (p *publisher) closedNow() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		return nil
	}
	return p.closedLocked()
}

// closedLocked says whose doing the end was.
func (p *publisher) closedLocked() error {
	if p.byOwner || p.bus.ctx.Err() != nil {
		return amqpbus.ErrClosed
	}
	return p.why
}

func (p *publisher) publishing(m amqpbus.Message) amqp.Publishing {
	out := amqp.Publishing{
		Type: m.Type, MessageId: m.ID, ReplyTo: m.ReplyTo, UserId: p.bus.user, Body: m.Body,
		CorrelationId: strconv.FormatUint(p.number, 36), DeliveryMode: amqp.Transient,
	}
	if m.Persistent {
		out.DeliveryMode = amqp.Persistent
	}
	if m.Timestamp != 0 {
		out.Timestamp = time.Unix(m.Timestamp, 0)
	}
	if m.Expiration > 0 {
		out.Expiration = strconv.FormatInt(m.Expiration.Milliseconds(), 10)
	}
	if len(m.Headers) > 0 {
		out.Headers = make(amqp.Table, len(m.Headers))
		for k, v := range m.Headers {
			out.Headers[k] = v
		}
	}
	return out
}

// settle calls every done, in order. A return comes before its confirm on the
// wire but through another Go channel, so the returns are read out before a
// confirm is believed.
func (p *publisher) settle() {
	defer close(p.done)
	returned := map[string]struct{}{}
	tick := time.NewTicker(verdictWithin / 10)
	defer tick.Stop()
	for {
		var next pending
		select {
		case next = <-p.pending:
		case <-p.ended:
			if !p.last(&next) {
				return
			}
		}
		silent := p.listen(next, tick.C)
		p.readReturns(returned)
		key := strconv.FormatUint(next.number, 36)
		_, back := returned[key]
		delete(returned, key)
		acked := next.confirm.Acked()
		if silent >= verdictWithin || silent >= refusalWithin && !acked && !p.ch.IsClosed() {
			p.bus.log.Warn("broker did not confirm a publish in time, or refused it late: closing its channel", zap.Duration("after", silent))
			p.leave()
			go closeChannel(p.ch)
		}
		verdict := p.verdict(acked, back)
		p.bus.metrics.published(verdict, time.Since(next.started))
		if next.done != nil {
			next.done(verdict)
		}
		<-p.slots
	}
}

// listen waits for a verdict and says for how long there was none, by the tick;
// the first may be from before. A confirm is also completed, without an ack, when the channel ends.
func (p *publisher) listen(next pending, tick <-chan time.Time) (silent time.Duration) {
	last := time.Now()
	for silent < verdictWithin {
		select {
		case <-next.confirm.Done():
			return silent
		case <-p.left:
			return 0
		case <-tick:
			now := time.Now()
			if !p.bus.isBlocked() { // a process that stood still heard nothing either
				silent += min(now.Sub(last), verdictWithin/10)
			}
			last = now
		}
	}
	return silent
}

// leave ends the channel from here on: everything that is pending is lost.
func (p *publisher) leave() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.giveUp.Do(func() { close(p.left) })
}

func (p *publisher) hasLeft() bool {
	select {
	case <-p.left:
		return true
	default:
		return false
	}
}

// last takes what is pending after the channel ended; false when nothing can
// come any more.
func (p *publisher) last(next *pending) bool {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.sending.Lock() // one that found it open is pending, or has failed
	defer p.sending.Unlock()
	select {
	case *next = <-p.pending:
		return true
	default:
		return false
	}
}

func (p *publisher) readReturns(returned map[string]struct{}) {
	for {
		select {
		case r, ok := <-p.returns:
			if !ok {
				p.returns = nil
				return
			}
			returned[r.CorrelationId] = struct{}{}
		default:
			return
		}
	}
}

func (p *publisher) verdict(acked, returned bool) error {
	switch {
	case acked && returned:
		return amqpbus.ErrUnroutable
	case acked:
		return nil
	}
	// Not acked means refused, unless the channel ended: then it means unknown.
	if p.hasLeft() || p.ch.IsClosed() {
		<-p.ended
		return p.why
	}
	return amqpbus.ErrRefused
}

func (p *publisher) Done() <-chan struct{} { return p.done }

// Close waits for the broker as closeChannel does, and not at all while an alarm
// keeps it from reading; then it gives up what is pending.
func (p *publisher) Close() error {
	p.mu.Lock()
	p.closed, p.byOwner = true, true
	p.mu.Unlock()
	if p.bus.isBlocked() {
		go closeChannel(p.ch)
	} else {
		closeChannel(p.ch)
	}
	p.leave()
	patiently(func() { <-p.done }) // longer only while a write hangs: it ends with the link
	return nil
}
