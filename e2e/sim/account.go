package sim

import (
	"fmt"
	"strconv"
	"strings"

	"belfry/pkg/protocol"
)

// account judges what the browsers get.
type account struct {
	w           *world
	delivered   int
	duplicates  int // of events without an id
	declared    int // gaps, by gateways
	excused     int // events that a gap excused
	unavailable int // subscriptions that were not active in time
}

// membership is what a connection is owed of a group, from the answer on.
type membership struct {
	since uint64
	gapAt uint64           // the last gap
	owed  map[int]*event   // confirmed and not here
	last  map[orderKey]int // the last event, since the last gap
}

// orderKey identifies the events whose order must be kept (I2): those of a source that
// publishes unconfirmed events again, or those of one channel of a source that does not.
type orderKey struct {
	source  *source
	channel *channel
}

func newMembership(since uint64) *membership {
	return &membership{since: since, owed: map[int]*event{}, last: map[orderKey]int{}}
}

// confirmed owes an event to every connection that was answered before its
// publish began, unless a gap was declared since.
func (a *account) confirmed(e *event) {
	for _, b := range a.w.browsers {
		m := b.groups[e.group]
		if m != nil && e.started > m.since && e.started > m.gapAt && !b.got[e.number] {
			m.owed[e.number] = e
		}
	}
}

// event is an event that reaches a connection which is a member of its group.
func (a *account) event(b *browser, m *membership, got *protocol.Event) {
	e := a.w.events[eventNumber(got.Payload)]
	a.delivered++
	a.w.tell("%s gets event %d of %s", b.name, e.number, e.group)
	if e.group != got.Group {
		a.w.violate("%s got event %d of %s as one of %s", b.name, e.number, e.group, got.Group)
	}
	if b.got[e.number] {
		if e.source.ids {
			a.w.violate("%s got event %d of %s twice", b.name, e.number, e.group)
		}
		a.duplicates++
		return
	}
	b.got[e.number] = true
	if e.started < m.since {
		return // published before the membership: I2 does not speak of it
	}
	in := orderKey{e.source, e.order}
	// What was published again has a second, later place in its queue: the
	// order is that of some copy.
	if later := a.w.events[m.last[in]]; later.number > e.number && later.first > e.last {
		a.w.violate("%s got event %d of %s after %d", b.name, e.number, e.group, later.number)
	}
	delete(m.owed, e.number)
	m.last[in] = max(m.last[in], e.number)
}

// gap excuses what was published before it: the browser reloads.
func (a *account) gap(m *membership) {
	m.gapAt = a.w.next()
	a.excused += len(m.owed)
	clear(m.owed)
	clear(m.last)
}

// close looks for what is owed at the end.
func (a *account) close() {
	for _, b := range a.w.browsers {
		for _, group := range b.list {
			for i := range a.w.events {
				if b.groups[group].owed[i] != nil {
					a.w.violate("%s never got event %d of %s, and no gap was declared", b.name, i, group)
				}
			}
		}
	}
}

func eventNumber(payload []byte) int {
	text := strings.TrimSuffix(strings.TrimPrefix(string(payload), `{"event": `), "}")
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(fmt.Sprintf("a payload that nobody emitted: %q", payload))
	}
	return n
}
