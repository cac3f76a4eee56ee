package lead

import (
	"belfry/pkg/eventlog"
)

// place is where the feed stands.
func (p *peer) place() eventlog.Cursor {
	if p.carrier != nil {
		return p.carrier.at
	}
	return p.at
}

// collect takes the events of an entry for every feed that the reader carries and
// whose table has their groups. A batch ends with a whole entry.
func (m *Machine) collect(r *reader, events []eventlog.Event) {
	if len(events) == 0 {
		return
	}
	for _, p := range m.peers {
		if p.carrier != r || p.stopped {
			continue
		}
		p.want(events)
		if p.bytes >= m.o.BatchBytes && p.unconfirmed < maxUnconfirmed {
			m.closeBatch(p)
		}
		if p.bytes > 4*m.o.BatchBytes {
			m.setDown(p)
		}
	}
}

// want collects those of an entry's events whose groups are in the table.
func (p *peer) want(events []eventlog.Event) {
	for i := range events {
		e := &events[i]
		if _, wanted := p.table[eventlog.TagOf(e.Group)]; wanted {
			p.events = append(p.events, *e)
			p.bytes += sizeOf(e)
		}
	}
}

// closeBatch sends what was collected, up to where the feed stands.
func (m *Machine) closeBatch(p *peer) {
	m.lastBatch++
	to := p.place()
	m.add(Send{Gateway: p.gateway, Batch: m.lastBatch, Message: eventlog.Batch{
		Log: m.o.Log, Gateway: p.gateway, Feed: p.feed, Rev: p.rev, From: p.from, To: to,
		End: max(m.high.Offset, to.Offset), Events: p.events, Proved: p.proved, ProvedAt: p.provedAt,
	}})
	p.from, p.sinceSent = to, 0
	if p.unconfirmed++; p.unconfirmed == 1 {
		p.unsettled = 0
	}
	p.dropCollected()
}

// cut ends the batch in hand before the table changes. Where no more may be on the
// way it is read again under the new table: that is a larger set or a later one, and
// the gateway delivers what is active.
func (m *Machine) cut(p *peer) {
	if p.carrier == nil || p.stopped || p.table == nil || p.place() == p.from {
		return
	}
	if p.unconfirmed < maxUnconfirmed {
		m.closeBatch(p)
		return
	}
	m.setDown(p)
}

// setDown leaves a feed where its last batch ended; another reader takes it up.
func (m *Machine) setDown(p *peer) {
	p.dropCollected()
	p.carrier, p.at = nil, p.from
}

// flush sends what waits, and an empty batch to who has had none for a while.
func (m *Machine) flush() {
	for _, p := range m.peers {
		if p.feed == 0 || p.stopped || p.table == nil || p.carrier == nil || p.unconfirmed >= maxUnconfirmed {
			continue
		}
		if len(p.events) > 0 || p.sinceSent >= emptyEvery {
			m.closeBatch(p)
		}
	}
}

// Settled says what became of a batch: whether the broker has taken it into the
// gateway's queue. One that was refused or returned, or of which nobody says anything
// for 10 s, stops the feed until the gateway says what it has.
func (m *Machine) Settled(gateway string, feed uint64, taken bool) {
	i, known := m.find(gateway)
	if !known || m.peers[i].feed != feed || feed == 0 {
		return
	}
	p := m.peers[i]
	p.unconfirmed, p.unsettled = max(p.unconfirmed-1, 0), 0
	if taken || p.stopped {
		m.catchUp()
		return
	}
	m.stopFeed(p)
}

// stopFeed waits for the gateway to say what it has.
func (m *Machine) stopFeed(p *peer) {
	p.stopped = true
	m.setDown(p)
}
