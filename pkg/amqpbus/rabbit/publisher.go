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

// A cluster may not confirm a publish for a long time. If the leader of a quorum queue hangs and
// the cluster has not noticed, messages to the queue are confirmed when that node is back, or the
// channel waits for the leader in vain and then refuses this message and all later ones. A new
// channel finds the new leader, so the old channel is given up.
const (
	// verdictWithin is how long the broker may give no outcome at all while it does not
	// block the link.
	verdictWithin = 10 * time.Second
	// refusalWithin is how late a refusal may come. A full queue refuses at once.
	refusalWithin = 3 * time.Second
)

// publisher is one channel with confirms. One goroutine, reportOutcomes, reads the confirms in
// the order of publishing and owns the returns.
type publisher struct {
	bus     *bus
	ch      *amqp.Channel
	slots   chan struct{} // holds one element per unconfirmed publish; its capacity is the window
	pending chan pending  // in the order of publishing; a send never blocks, because slots bounds it
	returns chan amqp.Return
	ended   chan struct{} // closed when the channel has ended or was given up
	done    chan struct{} // closed when every done was called

	left   chan struct{} // closed by leave: confirms are not waited for any more
	giveUp sync.Once     // closes left

	sending sync.Mutex // held while a message is written
	number  uint64     // guarded by sending: the number of the last publish, its correlation id

	mu      sync.Mutex
	closed  bool  // guarded by mu
	byOwner bool  // guarded by mu; Close was called
	why     error // guarded by mu until ended is closed: ErrLinkLost with the broker's reason
}

// pending is an unconfirmed publish.
type pending struct {
	confirm *amqp.DeferredConfirmation
	number  uint64
	started time.Time
	done    func(error)
}

func (b *bus) OpenPublisher(ctx context.Context, window int) (amqpbus.Publisher, error) {
	if window < 1 || window > 1000 {
		return nil, fmt.Errorf("open publisher: the window is %d, but must be 1 to 1,000", window)
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
		// The library drops a return for which there is no room. There are never more
		// than the window.
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
	go p.reportOutcomes()
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
	// Wait for room in the window before sending.
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

// send publishes m and adds it to pending, in the same order for all callers.
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

// whyEnded returns the error of a publisher whose channel has ended.
func (p *publisher) whyEnded() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closedLocked()
}

// closedNow returns the error of a publisher that was closed, nil if it was not.
func (p *publisher) closedNow() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		return nil
	}
	return p.closedLocked()
}

// closedLocked returns ErrClosed if this process ended the publisher, else the broker's reason.
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

// reportOutcomes calls every done, in order. On the wire a return comes before its confirm, but
// the library delivers them through different Go channels. So all returns are read before a
// confirm is evaluated.
func (p *publisher) reportOutcomes() {
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
		silent := p.awaitConfirm(next, tick.C)
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

// awaitConfirm waits until a publish is confirmed or refused, at most verdictWithin, and returns
// for how long there was neither. It measures in ticks, of which the first may have begun earlier.
// When the channel ends, the library completes the confirm without an ack.
func (p *publisher) awaitConfirm(next pending, tick <-chan time.Time) (silent time.Duration) {
	last := time.Now()
	for silent < verdictWithin {
		select {
		case <-next.confirm.Done():
			return silent
		case <-p.left:
			return 0
		case <-tick:
			now := time.Now()
			if !p.bus.isBlocked() { // bounded by a tick, in case this process was suspended
				silent += min(now.Sub(last), verdictWithin/10)
			}
			last = now
		}
	}
	return silent
}

// leave gives up the channel: everything that is pending fails with ErrLinkLost.
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

// last returns the next pending publish after the channel has ended. It reports false if there
// is none and none can be added.
func (p *publisher) last(next *pending) bool {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.sending.Lock() // wait for a send that found the publisher open
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
	// Not acked means refused or, if the channel has ended, unknown.
	if p.hasLeft() || p.ch.IsClosed() {
		<-p.ended
		return p.why
	}
	return amqpbus.ErrRefused
}

func (p *publisher) Done() <-chan struct{} { return p.done }

// Close closes the channel as closeChannel does, without waiting during an alarm, and gives up
// what is still pending.
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
	patiently(nil, func() { <-p.done }) // takes longer only while a write hangs, which ends with the link
	return nil
}
