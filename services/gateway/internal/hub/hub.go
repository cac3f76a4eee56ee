package hub

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"belfry/pkg/protocol"
	"belfry/services/gateway/internal/wsconn"
)

// ErrDraining says that the gateway is stopping and accepts no more connections.
var ErrDraining = errors.New("the gateway is draining")

// Owner handles one connection. Close starts the closing handshake; it must not block
// and must not call the hub, whose lock may be held.
type Owner interface {
	Close(code protocol.CloseCode, reason string)
}

// Hub holds all connections of one gateway. See the package comment for concurrency.
type Hub struct {
	log     *zap.Logger
	metrics *metrics
	lastID  atomic.Uint64

	touched []*Conn // scratch of Deliver's goroutine
	part    []*Conn // scratch of Run's

	mu         sync.Mutex
	conns      []*Conn // in no order; each knows its position
	byID       map[protocol.ConnID]*Conn
	next       int // position in conns at which the sweep goes on
	rooms      map[protocol.Group]*room
	draining   bool
	empty      chan struct{}      // closed when the last connection of a drain is gone
	gapPending map[*Conn]struct{} // connections with a gap notice to be sent
	orders     orders
	closing    chan closing // to Run
}

// Conn is one connection as the hub knows it.
type Conn struct {
	id    protocol.ConnID
	out   *wsconn.Conn
	owner Owner

	// Guarded by the hub's lock.
	gone    bool // Remove was called
	touched bool // is in Deliver's list of connections to flush
	at      int  // position in the hub's conns

	who     protocol.Principal
	expires int64 // Unix time in ms; 0: never

	// Guarded by the hub's lock.
	memberships []membership
	index       map[protocol.Group]int // position in memberships; nil while they are few
	gaps        *pendingGap            // nil: it never had one
}

// membership is an entry of a connection's list: a room, and the connection's position
// in the room's list of members.
type membership struct {
	room *room
	at   int
}

// room is a group that has members.
type room struct {
	group   protocol.Group
	members []member
}

// member is an entry of a room's list: a connection, and the room's position in the
// connection's list of memberships.
type member struct {
	conn *Conn
	at   int
}

// ID is the connection's number.
func (c *Conn) ID() protocol.ConnID { return c.id }

// New makes a hub. Start Run before the first connection is added.
func New(o Options) *Hub {
	return &Hub{
		log:        o.Logger,
		metrics:    newMetrics(o),
		byID:       map[protocol.ConnID]*Conn{},
		rooms:      map[protocol.Group]*room{},
		gapPending: map[*Conn]struct{}{},
		empty:      make(chan struct{}),
		closing:    make(chan closing, 16),
	}
}

// NextID returns a new connection number. Numbers start at 1 and are never reused.
func (h *Hub) NextID() protocol.ConnID { return protocol.ConnID(h.lastID.Add(1)) }

// Newcomer describes a connection to be added.
type Newcomer struct {
	ID    protocol.ConnID
	Out   *wsconn.Conn
	Owner Owner
	Who   protocol.Principal // the user and login session, as the worker found them
	Asked time.Time          // when its token was sent to a worker
	// Expires is when its token expires, Unix time in ms; 0: never. Within two seconds
	// from then Run asks the owner to close the connection.
	Expires int64
	First   []byte // payload of the first text frame that it is sent
}

// Add adds a connection and puts its first frame into its outbox, which the caller
// flushes. The errors are ErrDraining, ErrDisconnected and ErrUncertain; then the
// connection is not added and nothing is in its outbox.
func (h *Hub) Add(n Newcomer) (*Conn, error) {
	c := &Conn{id: n.ID, out: n.Out, owner: n.Owner, who: n.Who, expires: n.Expires}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.draining {
		return nil, ErrDraining
	}
	if err := h.orders.check(n.Who, n.Asked); err != nil {
		return nil, err
	}
	h.addLocked(c)
	n.Out.Push(wsconn.FrameText(n.First))
	h.metrics.connections.Set(float64(len(h.conns)))
	return c, nil
}

func (h *Hub) addLocked(c *Conn) {
	c.at = len(h.conns)
	h.conns = append(h.conns, c)
	h.byID[c.id] = c
}

// removeLocked removes c from conns. The last connection takes its position.
func (h *Hub) removeLocked(c *Conn) {
	last := len(h.conns) - 1
	moved := h.conns[last]
	h.conns[c.at], moved.at = moved, c.at
	h.conns[last] = nil
	h.conns = h.conns[:last]
	delete(h.byID, c.id)
}

// Remove removes a connection and returns the groups that it was in. Afterwards the
// hub puts nothing more into its outbox. A second call returns nil.
func (h *Hub) Remove(c *Conn, ending wsconn.Ending) []protocol.Group {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.gone {
		return nil
	}
	c.gone = true
	left := make([]protocol.Group, 0, len(c.memberships))
	for len(c.memberships) > 0 {
		left = append(left, c.memberships[len(c.memberships)-1].room.group)
		h.leaveLocked(c, len(c.memberships)-1)
	}
	h.removeLocked(c)
	delete(h.gapPending, c)
	h.metrics.connections.Set(float64(len(h.conns)))
	h.metrics.ended(ending)
	if h.draining && len(h.conns) == 0 {
		close(h.empty)
	}
	return left
}

// Apply changes a connection's memberships and sends the answer, as one step: the
// client gets no event of a joined group before the answer and no event of a left
// group after it. If the connection was removed, Apply changes nothing and reports
// false. Joining a group that the connection is in, or leaving one that it is not in,
// has no effect.
func (h *Hub) Apply(c *Conn, joined, left []protocol.Group, answer []byte) bool {
	chunk := wsconn.FrameText(answer)
	h.mu.Lock()
	if c.gone {
		h.mu.Unlock()
		return false
	}
	for _, g := range left {
		if at := c.findLocked(g); at >= 0 {
			h.leaveLocked(c, at)
		}
	}
	for _, g := range joined {
		if c.findLocked(g) < 0 {
			h.joinLocked(c, g)
		}
	}
	c.out.Push(chunk)
	h.mu.Unlock()
	c.out.Flush()
	return true
}

// Groups returns the groups that a connection is in, in no particular order.
func (h *Hub) Groups(c *Conn) []protocol.Group {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]protocol.Group, len(c.memberships))
	for i, p := range c.memberships {
		out[i] = p.room.group
	}
	return out
}

// Members returns how many of this gateway's connections are in a group.
func (h *Hub) Members(g protocol.Group) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r := h.rooms[g]; r != nil {
		return len(r.members)
	}
	return 0
}

// Len returns the number of connections.
func (h *Hub) Len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.conns)
}

// few is the largest number of memberships that is searched linearly. Beyond it there
// is an index, so that changing a thousand groups does not hold the lock for long.
const few = 16

// findLocked returns the position of g in c.memberships, or -1.
func (c *Conn) findLocked(g protocol.Group) int {
	if c.index != nil {
		if i, found := c.index[g]; found {
			return i
		}
		return -1
	}
	for i := range c.memberships {
		if c.memberships[i].room.group == g {
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
	c.memberships = append(c.memberships, membership{room: r, at: len(r.members)})
	r.members = append(r.members, member{conn: c, at: len(c.memberships) - 1})
	c.indexLocked()
}

// leaveLocked removes c.memberships[i]. In both lists the last entry moves into the
// free position, and the entry that points back to it is corrected.
func (h *Hub) leaveLocked(c *Conn, i int) {
	r, at := c.memberships[i].room, c.memberships[i].at
	last := len(r.members) - 1
	moved := r.members[last]
	r.members[at] = moved
	moved.conn.memberships[moved.at].at = at
	r.members[last] = member{}
	r.members = r.members[:last]
	if last == 0 {
		delete(h.rooms, r.group)
		h.metrics.groups.Set(float64(len(h.rooms)))
	}
	end := len(c.memberships) - 1
	if c.index != nil {
		delete(c.index, r.group)
	}
	if i != end {
		c.memberships[i] = c.memberships[end]
		c.memberships[i].room.members[c.memberships[i].at].at = i
		if c.index != nil {
			c.index[c.memberships[i].room.group] = i
		}
	}
	c.memberships[end] = membership{}
	c.memberships = c.memberships[:end]
	if end == 0 {
		c.index = nil
	}
}

// indexLocked adds the last membership to the index, and builds the index when the
// connection has more than a few memberships.
func (c *Conn) indexLocked() {
	switch last := len(c.memberships) - 1; {
	case c.index != nil:
		c.index[c.memberships[last].room.group] = last
	case last == few:
		c.index = make(map[protocol.Group]int, 2*few)
		for i := range c.memberships {
			c.index[c.memberships[i].room.group] = i
		}
	}
}
