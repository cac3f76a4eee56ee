package sim

import (
	"slices"
	"strconv"

	"belfry/pkg/protocol"
)

// browser is one place in front of a screen: it is connected to a gateway most
// of the time, asks for groups, and gets its frames at once and in order.
type browser struct {
	name   string
	w      *world
	at     *gateway // nil: not connected
	groups map[protocol.Group]*membership
	list   []protocol.Group // the same, in an order
	got    map[int]bool     // events that reached this connection
	asking bool
}

// connect opens a connection to a gateway that lives.
func (b *browser) connect() {
	var open []*gateway
	for _, g := range b.w.gateways {
		if !g.dead && !g.frozen && !g.leaving {
			open = append(open, g)
		}
	}
	if len(open) == 0 {
		return
	}
	b.at = open[b.w.rnd.IntN(len(open))]
	b.groups, b.list, b.asking = map[protocol.Group]*membership{}, nil, false
	b.got = map[int]bool{}
	b.at.browsers = append(b.at.browsers, b)
}

// disconnect ends the connection: nothing is owed any more.
func (b *browser) disconnect() {
	g := b.at
	if g == nil {
		return
	}
	b.at = nil
	g.browsers = slices.DeleteFunc(slices.Clone(g.browsers), func(other *browser) bool { return other == b })
	if !g.dead {
		g.closed(b)
	}
	b.groups, b.list, b.asking = nil, nil, false
}

// ask asks for some groups in place of those that it has.
func (b *browser) ask() {
	if b.asking {
		return // one question at a time
	}
	var want []protocol.Group
	for i := range groupCount {
		if b.w.rnd.IntN(3) == 0 {
			want = append(want, groupName(i))
		}
	}
	b.asking = true
	b.at.subscribe(b, want)
}

// become makes the set what was asked for, in one step with the answer. It
// returns the groups that were left.
func (b *browser) become(want []protocol.Group) (left []protocol.Group) {
	b.asking = false
	for _, group := range b.list {
		if !contains(want, group) {
			left = append(left, group)
			delete(b.groups, group)
		}
	}
	for _, group := range want {
		if b.groups[group] == nil {
			b.groups[group] = newMembership(b.w.next())
		}
	}
	b.list = want
	b.w.tell("%s has %v", b.name, want)
	return left
}

const groupCount = 6

func groupName(i int) protocol.Group { return protocol.Group("g-" + strconv.Itoa(i)) }

func contains(groups []protocol.Group, group protocol.Group) bool {
	return slices.Contains(groups, group)
}

func remove(tickets []ticket, t ticket) []ticket {
	return slices.DeleteFunc(tickets, func(other ticket) bool { return other == t })
}
