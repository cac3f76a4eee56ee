package load

import "time"

// inFlight is how long before a close by the server, or before the client leaves
// the group, an emit must have been confirmed (at a leave: published) for the
// connection to be owed it: younger ones were on their way. The close itself tells the client to
// reload; who leaves a group does not want its events any more. In a failure
// events are on their way for longer: at a leave also those that reached nobody
// before it, and somebody after it.
const inFlight = time.Second

// Check holds every record against the ledger.
func Check(ledger *Ledger, records []*Record) Report {
	emits := ledger.all()
	index := map[payload]int{}
	byGroup := map[string][]Emit{}
	for i, e := range emits {
		index[keyOf(e)] = i
		byGroup[e.Group] = append(byGroup[e.Group], e)
	}
	first := arrivals(records)
	var sum Report
	for _, r := range records {
		c := check{record: r, emits: emits, index: index, byGroup: byGroup, first: first, seen: map[payload]int{}}
		c.frames()
		c.owed()
		sum.add(c.report)
	}
	return sum
}

// keyOf is what identifies an emit in a payload.
func keyOf(e Emit) payload { return payload{Publisher: e.Publisher, Group: e.Group, N: e.N} }

// arrivals are when each event first reached anybody.
func arrivals(records []*Record) map[payload]time.Time {
	first := map[payload]time.Time{}
	for _, r := range records {
		for i := range r.entries {
			e := &r.entries[i]
			if e.kind != sawEvent {
				continue
			}
			key := e.event
			key.GroupName = ""
			if before, known := first[key]; !known || e.at.Before(before) {
				first[key] = e.at
			}
		}
	}
	return first
}

type check struct {
	record  *Record
	emits   []Emit
	index   map[payload]int
	byGroup map[string][]Emit
	first   map[payload]time.Time // when it reached anybody
	seen    map[payload]int
	report  Report
}

type stream struct {
	publisher int
	group     string
}

// frames looks at what came, in the order in which it came.
func (c *check) frames() {
	current := map[string]bool{}
	var owed map[string]bool // nil: no change is under way; else the groups of the last change that must be denied
	last := map[stream]int{}
	for i := range c.record.entries {
		switch e := &c.record.entries[i]; e.kind {
		case sawGroups:
			current = map[string]bool{}
			for _, g := range e.groups {
				current[g] = true
				if !c.allowed(g) {
					c.report.Unauthorised++
					c.report.example("%s: was given %s, which is not for this user", c.record.Name, g)
				}
			}
			for g := range owed {
				c.report.Unexpected++
				c.report.example("%s: was not told that %s is denied", c.record.Name, g)
			}
			owed = nil
		case sentChange:
			owed = map[string]bool{}
			for _, g := range e.groups {
				if !c.allowed(g) {
					owed[g] = true
				}
			}
		case sawDenied:
			if g := e.groups[0]; !owed[g] {
				c.report.Unexpected++
				c.report.example("%s: was denied %s without a reason", c.record.Name, g)
			} else {
				delete(owed, g)
				c.report.Denied++
			}
		case sawUnavailable:
			if owed == nil {
				c.report.Unexpected++
				c.report.example("%s: unavailable, without a change", c.record.Name)
				continue
			}
			c.report.Unavailable++
			owed = nil
		case sawEvent:
			c.event(e, current, last)
		case sawOther:
			c.report.Unexpected++
			c.report.example("%s: unexpected frame %.120q", c.record.Name, e.text)
		case sawGap:
		}
	}
}

// allowed says whether this connection's user may see the group.
func (c *check) allowed(group string) bool {
	return c.record.Allowed == nil || c.record.Allowed(group)
}

func (c *check) event(e *entry, current map[string]bool, last map[stream]int) {
	key := e.event
	key.GroupName = ""
	at := stream{key.Publisher, key.Group}
	if _, known := c.index[key]; !known {
		c.report.Unexpected++
		c.report.example("%s: event %v that nobody emitted", c.record.Name, e.event)
		return
	}
	if !c.allowed(key.Group) {
		c.report.Unauthorised++
		c.report.example("%s: event %v is not for this user", c.record.Name, e.event)
	}
	if !current[key.Group] {
		c.report.Ghost++
		c.report.example("%s: event %v while not subscribed", c.record.Name, e.event)
	}
	c.seen[key]++
	if c.seen[key] > 1 {
		c.report.Duplicated++
		c.report.example("%s: event %v came %d times, now after %d", c.record.Name, e.event, c.seen[key], last[at])
		return
	}
	c.report.Delivered++
	if key.N < last[at] {
		c.report.Reordered++
		c.report.example("%s: event %v came after %d", c.record.Name, e.event, last[at])
	}
	last[at] = max(last[at], key.N)
}

// membership is a time in which a connection was owed a group's events.
type membership struct {
	group       string
	from, until time.Time
	end         ending
}

// ending is what ended a membership.
type ending uint8

const (
	clientGone   ending = iota // the client has read what was on its way, and gone
	clientLeft                 // the client asked for a set without the group
	serverClosed               // the server closed the connection
)

// memberships follows the replies and the changes: a group that stays in the
// set over a change is owed without an interruption, and one that stays because
// the change could not be made is owed again.
func (c *check) memberships() []membership {
	var out []membership
	since := map[string]time.Time{}
	var current []string
	end := func(group string, at time.Time, how ending) {
		if from, open := since[group]; open {
			out = append(out, membership{group, from, at, how})
			delete(since, group)
		}
	}
	for i := range c.record.entries {
		e := &c.record.entries[i]
		switch e.kind {
		case sentChange: // what leaves is no longer owed from here
			for group := range since {
				if !contains(e.groups, group) {
					end(group, e.at, clientLeft)
				}
			}
		case sawGroups, sawUnavailable:
			if e.kind == sawGroups {
				current = e.groups
			}
			for _, group := range current {
				if _, open := since[group]; !open {
					since[group] = e.at
				}
			}
		}
	}
	until, how := c.record.Closed, serverClosed
	if !c.record.Left.IsZero() {
		until, how = c.record.Left, clientGone
	}
	for group := range since {
		end(group, until, how)
	}
	return out
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

// owed looks for what should have come.
func (c *check) owed() {
	for _, m := range c.memberships() {
		for _, e := range c.byGroup[m.group] {
			if e.Start.Before(m.from) || !e.Start.Before(m.until) {
				continue
			}
			c.report.Attempted++
			if e.Confirmed.IsZero() || !e.Confirmed.Before(m.until) {
				continue
			}
			c.report.Confirmed++
			if c.seen[keyOf(e)] > 0 {
				continue
			}
			c.lost(e, m)
		}
	}
}

func (c *check) lost(e Emit, m membership) {
	switch {
	case c.gapCovers(e):
		c.report.LostWithGap++
	case m.end == serverClosed && e.Confirmed.After(m.until.Add(-inFlight)):
		c.report.LostAtClose++
		c.report.EarliestAtClose = max(c.report.EarliestAtClose, m.until.Sub(e.Confirmed))
	case m.end == clientLeft && (e.Start.After(m.until.Add(-inFlight)) || c.first[keyOf(e)].After(m.until)):
		c.report.LostAtLeave++
	default:
		c.report.LostWithoutGap++
		c.report.example("%s: %v lost; published %v, confirmed %v after the subscribe reply, left %v after it, close code %d",
			c.record.Name, keyOf(e), e.Start.Sub(m.from), e.Confirmed.Sub(m.from), m.until.Sub(m.from), c.record.Code)
	}
}

// gapCovers reports that a gap notice after the emit's start names its group.
func (c *check) gapCovers(e Emit) bool {
	for i := range c.record.entries {
		g := &c.record.entries[i]
		if g.kind == sawGap && g.at.After(e.Start) && contains(g.groups, e.Group) {
			return true
		}
	}
	return false
}
