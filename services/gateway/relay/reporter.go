package relay

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

const (
	batchReports = 500             // reports in one batch, at most
	batchBytes   = 512 << 10       // their bytes, about; one larger report travels alone
	maxReports   = 100_000         // reports that wait for a worker, at most
	maxBytes     = 64 << 20        // their bytes, about
	repeatAfter  = 5 * time.Second // a batch that no worker has noted is sent again
)

// reporter sends connection reports to a worker, in order, one batch at a time.
type reporter struct {
	r      *Relay
	signal chan struct{} // capacity 1: something changed below

	mu      sync.Mutex
	waiting []protocol.LifeReport // guarded by mu; those of the batch under way come first
	bytes   int                   // guarded by mu; of waiting
	number  uint64                // guarded by mu; of reports
	batch   uint64                // guarded by mu; the one under way, or the last
	taken   int                   // guarded by mu; reports of the batch under way; 0: none is
	idle    chan struct{}         // guarded by mu; not nil: closed when nothing waits
	full    bool                  // guarded by mu; the bound was logged
}

func newReporter(r *Relay) *reporter { return &reporter{r: r, signal: make(chan struct{}, 1)} }

// Report queues a report, in order. It does not block. Over 100,000 waiting
// reports, or 64 MiB of them, the newest is dropped, counted and logged.
func (r *Relay) Report(report protocol.LifeReport) { r.report.add(report) }

func (p *reporter) add(report protocol.LifeReport) {
	p.mu.Lock()
	defer p.mu.Unlock()
	size := sizeOf(&report)
	if len(p.waiting) >= maxReports || p.bytes+size > maxBytes {
		p.r.metrics.reportsDropped.Inc()
		if !p.full {
			p.full = true
			p.r.log.Error("dropping connection reports: no worker accepts them, are workers running?", zap.Int("waiting", len(p.waiting)))
		}
		return
	}
	p.number++
	report.Gateway = p.r.o.Gateway
	report.ID = string(p.r.o.Gateway) + "-" + strconv.FormatUint(p.number, 10)
	p.waiting = append(p.waiting, report)
	p.bytes += size
	p.wake()
}

// sizeOf estimates the size of a report, in memory and encoded.
func sizeOf(r *protocol.LifeReport) int {
	size := 300 + len(r.User)
	for _, g := range r.Groups {
		size += len(g) + 16
	}
	return size
}

func (p *reporter) wake() {
	select {
	case p.signal <- struct{}{}:
	default:
	}
}

// once sends batches until ctx ends.
func (p *reporter) once(ctx context.Context) error {
	repeat := time.NewTimer(repeatAfter)
	defer repeat.Stop()
	sent := uint64(0)
	for {
		if batch := p.current(sent); batch != nil {
			sent = batch.Batch
			if err := p.send(ctx, protocol.Encode(*batch)); err != nil && ctx.Err() == nil {
				p.r.log.Debug("connection reports were not published, repeating them", zap.Error(err))
			}
			repeat.Reset(repeatAfter)
		}
		select {
		case <-p.signal:
		case <-repeat.C:
			sent = 0
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// current is the batch under way, or a new one; nil when nothing waits or the
// batch was sent. Reports that wait do not change, so the batch may be read
// without the lock.
func (p *reporter) current(sent uint64) *protocol.Life {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken == 0 {
		if len(p.waiting) == 0 {
			return nil
		}
		p.taken = p.fitLocked()
		p.batch++
	}
	if p.batch == sent {
		return nil
	}
	return &protocol.Life{Gateway: p.r.o.Gateway, Batch: p.batch, Reports: p.waiting[:p.taken:p.taken]}
}

// fitLocked is how many reports make the next batch, at least one.
func (p *reporter) fitLocked() int {
	n, size := 0, 0
	for n < min(len(p.waiting), batchReports) {
		if size += sizeOf(&p.waiting[n]); n > 0 && size > batchBytes {
			break
		}
		n++
	}
	return n
}

func (p *reporter) send(ctx context.Context, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, repeatAfter)
	defer cancel()
	settled := make(chan error, 1)
	err := p.r.ask.publish(ctx, amqpbus.Message{
		Exchange: amqpbus.ExchangeQuestions, Key: amqpbus.QueueQuestions, Type: protocol.TypeLife,
		ReplyTo: string(p.r.o.Gateway), Mandatory: true, Body: body,
	}, func(err error) {
		p.r.astray.published(err)
		settled <- err
	})
	if err != nil {
		return fmt.Errorf("publish connection reports: %w", err)
	}
	select {
	case err := <-settled:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// noted says that a worker has published a batch.
func (p *reporter) noted(batch uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken == 0 || batch != p.batch {
		return // noted before
	}
	for i := range p.taken {
		p.bytes -= sizeOf(&p.waiting[i])
	}
	p.waiting = p.waiting[p.taken:]
	p.r.metrics.reports.Add(float64(p.taken))
	p.taken, p.full = 0, false
	if len(p.waiting) == 0 {
		p.waiting = nil
		if p.idle != nil {
			close(p.idle)
			p.idle = nil
		}
	}
	p.wake()
}

// flush waits until every report is published.
func (p *reporter) flush(ctx context.Context) error {
	p.mu.Lock()
	if len(p.waiting) == 0 {
		p.mu.Unlock()
		return nil
	}
	if p.idle == nil {
		p.idle = make(chan struct{})
	}
	idle := p.idle
	p.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		p.mu.Lock()
		defer p.mu.Unlock()
		return errors.Join(fmt.Errorf("%d connection reports were not published in time", len(p.waiting)), ctx.Err())
	}
}
