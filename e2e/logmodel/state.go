package logmodel

import "fmt"

// How much there is of everything.
const (
	workers    = 2
	gateways   = 2
	groups     = 2
	clients    = 2
	mostEver   = 12 // entries that are ever written, marks included
	inFlight   = 3  // messages from one process to another
	batchRoom  = 2  // events in a batch
	batchReach = 3  // entries that a batch spans at most
	lookBack   = 3  // offsets in front of an entry in which a copy is recognised
)

// cursor is an offset and what stands there. The offset none is of somebody who has
// read nothing.
type cursor struct{ offset, fp int8 }

const none = -1

var nowhere = cursor{none, none}

// entry is one that was ever written. It is known by its number in the order of writing.
type entry struct {
	group   int8 // none: a mark
	content int8 // number of the first with this content; what a fingerprint shows
	offset  int8
	lost    bool // with the log's end
	copied  bool // of another at most lookBack offsets before it
}

type kind int8

const (
	claim kind = iota + 1
	batch
	reset
	hello
	snapshot
	change
	life
)

// message is any of them. life number of a gateway: it counts its incarnations.
type message struct {
	kind                    kind
	incarnation, feed, term int8
	rev, base               int8
	from, to                cursor
	events                  [batchRoom]int8 // numbers of entries, and 1
	count                   int8
	changed, table          uint8 // bits of groups
}

// channel is what is on its way from one process to another.
type channel struct {
	messages [inFlight]message
	count    int8
}

func (c *channel) push(m message) bool {
	if c.count == inFlight {
		return false
	}
	c.messages[c.count] = m
	c.count++
	return true
}

func (c *channel) take(i int8) message {
	m := c.messages[i]
	copy(c.messages[i:c.count], c.messages[i+1:c.count])
	c.count--
	c.messages[c.count] = message{}
	return m
}

// peer is what a leader knows of one gateway.
type peer struct {
	incarnation, feed int8 // feed 0: none
	serving           bool
	stopped           bool // a batch was refused
	rev               int8 // of the table; none: there is none
	table             uint8
	at, from          cursor // where the feed stands, and where its last batch ended
	events            [batchRoom]int8
	count             int8
	looksFrom         int8 // offset at which its reader began to look for copies
}

type worker struct {
	leading bool
	term    int8
	version int8   // of the log, when its readers were opened
	top     cursor // the last entry that it has read
	peers   [gateways]peer
}

type standing int8

const (
	absent standing = iota
	joining
	active
)

type interest struct {
	standing standing
	changed  int8 // revision of the last change
	since    int8 // covered when it became active
}

type gateway struct {
	incarnation, feed int8
	leader, term      int8 // none
	covered           cursor
	rev, applied      int8
	groups            [groups]interest
	window            int8 // the events behind this offset are in it
	owesGap           bool
}

type progress int8

const (
	away progress = iota
	asking
	catching
	live
)

// client c has the group c alone.
type client struct {
	progress progress
	gateway  int8
	has      cursor // what it would resume with
	reached  cursor // while catching up
	proven   bool   // a filling has shown reached to be of this log

	filling bool // an answer is on its way, up to to
	to      cursor
	events  uint16 // bits of entries by number
	refused bool   // the answer is that the log cannot tell

	// What the rules are judged by.
	answered bool
	owed     int8   // entries of this number on
	got      uint16 // bits of entries by number
	last     int8
}

// budget is how many of each may still happen.
type budget struct {
	emit, again, truncate, cut               int8
	claim, workerDies, gatewayDies           int8
	lose, refuse, double, overtake           int8
	leave, connect, disconnect, forgetWindow int8
}

// state is everything.
type state struct {
	entries [mostEver]entry
	written int8
	log     [mostEver]int8 // number of the entry at each offset
	end     int8           // offset behind the last
	first   int8           // offset that is still held
	version int8           // of the log: it lost its end so many times

	windows  [gateways]uint16
	workers  [workers]worker
	gateways [gateways]gateway
	clients  [clients]client
	down     [workers][gateways]channel
	up       [gateways][workers]channel

	budget budget
	broken bool // the log has lost something: gaps have a reason
	calm   bool // settling: no faults
	room   int8 // entries that may be written before that
	using  int8 // gateways
}

// fault is what a rule broke.
type fault struct{ text string }

func broken(format string, args ...any) { panic(fault{fmt.Sprintf(format, args...)}) }

func begin(b budget, room, using int8) *state {
	s := &state{budget: b, room: room, using: using}
	for w := range s.workers {
		s.workers[w].top = nowhere
		for g := range s.workers[w].peers {
			s.workers[w].peers[g].forget()
		}
	}
	for g := range s.gateways {
		s.gateways[g] = newGateway(1)
	}
	for c := range s.clients {
		s.clients[c] = client{gateway: none, has: nowhere, reached: nowhere, to: nowhere, last: none}
	}
	return s
}

func newGateway(incarnation int8) gateway {
	g := gateway{incarnation: incarnation, leader: none, term: none, covered: nowhere, window: none}
	for i := range g.groups {
		g.groups[i].since = none
	}
	return g
}
