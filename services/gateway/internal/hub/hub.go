package hub

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"belfry/pkg/protocol"
	"belfry/services/gateway/internal/wsconn"
)

// ErrDraining says that the gateway is stopping and takes no more connections.
var ErrDraining = errors.New("the gateway is draining")

// Owner closes a connection in an orderly way. Close must not block and must
// not call the hub.
type Owner interface {
	Close(code protocol.CloseCode, reason string)
}

// Hub is all connections of one gateway.
type Hub struct {
	log     *zap.Logger
	metrics *metrics
	lastID  atomic.Uint64

	touched []*Conn // scratch of Deliver's goroutine

	mu       sync.Mutex
	conns    map[protocol.ConnID]*Conn
	rooms    map[protocol.Group]*room
	draining bool
	empty    chan struct{}      // closed when the last connection of a drain is gone
	owing    map[*Conn]struct{} // connections with a gap notice to be sent
	orders   orders

	closing chan closing // to Run
}

// Conn is one connection as the hub knows it.
type Conn struct {
	id    protocol.ConnID
	out   *wsconn.Conn
	owner Owner
	who   protocol.Principal

	// Guarded by the hub's lock.
	places  []place
	index   map[protocol.Group]int // where in places; nil while they are few
	gone    bool
	touched bool // is in the list of connections to flush
	lastGap time.Time
	gaps    owed
}

// place is a connection's membership: in which room, and where in its list.
type place struct {
	room *room
	at   int
}

// room is a group that has members.
type room struct {
	group   protocol.Group
	members []member
}

// member is a room's member: which connection, and where in its list.
type member struct {
	conn *Conn
	at   int
}

// ID is the connection's number.
func (c *Conn) ID() protocol.ConnID { return c.id }

// New makes a hub. slow is the count that the connections' wsconn.Options share.
func New(o Options) *Hub {
	return &Hub{
		log:     o.Logger,
		metrics: newMetrics(o),
		conns:   map[protocol.ConnID]*Conn{},
		rooms:   map[protocol.Group]*room{},
		owing:   map[*Conn]struct{}{},
		empty:   make(chan struct{}),
		closing: make(chan closing, 16),
	}
}

// NextID hands out connection numbers, from 1, none twice.
func (h *Hub) NextID() protocol.ConnID { return protocol.ConnID(h.lastID.Add(1)) }

// Newcomer is a connection that is not known yet.
type Newcomer struct {
	ID    protocol.ConnID
	Out   *wsconn.Conn
	Owner Owner
	Who   protocol.Principal
	Asked time.Time // when its token was sent to be checked
	First []byte    // its first frame, not framed
}

// Add makes a connection known. Its errors are ErrDraining, ErrDisconnected and
// ErrUncertain, and then it is not known and no frame was sent.
func (h *Hub) Add(n Newcomer) (*Conn, error) {
	c := &Conn{id: n.ID, out: n.Out, owner: n.Owner, who: n.Who}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.draining {
		return nil, ErrDraining
	}
	if err := h.orders.check(n.Who, n.Asked); err != nil {
		return nil, err
	}
	h.conns[n.ID] = c
	n.Out.Push(wsconn.FrameText(n.First))
	h.metrics.connections.Set(float64(len(h.conns)))
	return c, nil
}

// Remove forgets a connection and returns the groups that it was in. After it
// nothing more enters the connection's outbox. A second Remove returns none.
func (h *Hub) Remove(c *Conn, ending wsconn.Ending) []protocol.Group {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.gone {
		return nil
	}
	c.gone = true
	left := make([]protocol.Group, 0, len(c.places))
	for len(c.places) > 0 {
		left = append(left, c.places[len(c.places)-1].room.group)
		h.leaveLocked(c, len(c.places)-1)
	}
	delete(h.conns, c.id)
	delete(h.owing, c)
	h.metrics.connections.Set(float64(len(h.conns)))
	h.metrics.ended(ending)
	if h.draining && len(h.conns) == 0 {
		close(h.empty)
	}
	return left
}

// Apply changes a connection's memberships and puts its answer behind them, as
// one step: no event of a joined group comes before the answer, none of a left
// group after it. It reports false, having changed nothing, when the connection
// is gone. Joining what is joined, or leaving what is not, is nothing.
func (h *Hub) Apply(c *Conn, joined, left []protocol.Group, answer []byte) bool {
	row := wsconn.FrameText(answer)
	h.mu.Lock()
	if c.gone {
		h.mu.Unlock()
		return false
	}
	for _, g := range left {
		if at := c.find(g); at >= 0 {
			h.leaveLocked(c, at)
		}
	}
	for _, g := range joined {
		if c.find(g) < 0 {
			h.joinLocked(c, g)
		}
	}
	c.out.Push(row)
	h.mu.Unlock()
	c.out.Flush()
	return true
}

// Groups are the groups that a connection is in, in no order.
func (h *Hub) Groups(c *Conn) []protocol.Group {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]protocol.Group, len(c.places))
	for i, p := range c.places {
		out[i] = p.room.group
	}
	return out
}

// Members is how many connections here are in a group.
func (h *Hub) Members(g protocol.Group) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r := h.rooms[g]; r != nil {
		return len(r.members)
	}
	return 0
}

// Len is the number of connections.
func (h *Hub) Len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.conns)
}

// few is how many places are searched one by one; a connection with more has
// an index, so that a set of a thousand groups does not hold the lock for long.
const few = 16

// find returns the index of g in c.places, or -1. The caller holds the lock.
func (c *Conn) find(g protocol.Group) int {
	if c.index != nil {
		if i, found := c.index[g]; found {
			return i
		}
		return -1
	}
	for i := range c.places {
		if c.places[i].room.group == g {
			return i
		}
	}
	return -1
}

func (h *Hub) joinLocked(c *Conn, g protocol.Group) {
	r := h.rooms[g]
	if r == nil {
		r = &room{group: g}
		h.rooms[g] = r
		h.metrics.groups.Set(float64(len(h.rooms)))
	}
	c.places = append(c.places, place{room: r, at: len(r.members)})
	r.members = append(r.members, member{conn: c, at: len(c.places) - 1})
	c.indexLocked()
}

// leaveLocked removes c.places[i]: in both lists the last takes the free place.
func (h *Hub) leaveLocked(c *Conn, i int) {
	r, at := c.places[i].room, c.places[i].at
	last := len(r.members) - 1
	moved := r.members[last]
	r.members[at] = moved
	moved.conn.places[moved.at].at = at
	r.members[last] = member{}
	r.members = r.members[:last]
	if last == 0 {
		delete(h.rooms, r.group)
		h.metrics.groups.Set(float64(len(h.rooms)))
	}
	end := len(c.places) - 1
	if c.index != nil {
		delete(c.index, r.group)
	}
	if i != end {
		c.places[i] = c.places[end]
		c.places[i].room.members[c.places[i].at].at = i
		if c.index != nil {
			c.index[c.places[i].room.group] = i
		}
	}
	c.places[end] = place{}
	c.places = c.places[:end]
	if end == 0 {
		c.index = nil
	}
}

// indexLocked notes the last place, and makes the index when it is time for one.
func (c *Conn) indexLocked() {
	switch last := len(c.places) - 1; {
	case c.index != nil:
		c.index[c.places[last].room.group] = last
	case last == few:
		c.index = make(map[protocol.Group]int, 2*few)
		for i := range c.places {
			c.index[c.places[i].room.group] = i
		}
	}
}

// Run pings, watches for silence, sends gap notices that had to wait and closes
// what is to be closed little by little, until ctx ends.
func (h *Hub) Run(ctx context.Context) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	var work []closing
	var swept time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-h.closing:
			work = append(work, c)
		case now := <-ticker.C:
			work = closeSome(work, now)
			h.sendGaps(now)
			if now.Sub(swept) >= sweepEvery {
				swept = now
				h.sweep(now)
			}
		}
	}
}

const (
	tick       = 50 * time.Millisecond
	sweepEvery = time.Second
)

func (h *Hub) sweep(now time.Time) {
	for _, c := range h.all() {
		c.out.Tick(now)
	}
}

func (h *Hub) all() []*Conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]*Conn, 0, len(h.conns))
	for _, c := range h.conns {
		out = append(out, c)
	}
	return out
}
