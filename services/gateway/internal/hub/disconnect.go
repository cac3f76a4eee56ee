package hub

import (
	"errors"
	"time"

	"go.uber.org/zap"

	"belfry/pkg/protocol"
)

// Errors of Add, beside ErrDraining.
var (
	// ErrDisconnected says that the application has ended the newcomer's login session
	// while its token was being checked.
	ErrDisconnected = errors.New("the application has disconnected this user")
	// ErrUncertain says that there were so many orders meanwhile that nobody
	// knows; the client may try again.
	ErrUncertain = errors.New("too many disconnect orders came during the handshake")
)

const (
	// orderKept is how long an order is remembered for those whose token was
	// being checked when it came: longer than any handshake takes.
	orderKept = 30 * time.Second
	// maxOrders bounds the orders remembered.
	maxOrders = 4096
)

// Disconnect closes the connections that the order concerns with 4403, also
// those whose token is being checked now: the check may have been made before
// the application changed its mind. It looks at every connection, because orders
// are rare and an index would cost every connection memory.
func (h *Hub) Disconnect(d protocol.Disconnect) {
	var owners []Owner
	h.mu.Lock()
	h.orders.add(d, time.Now())
	for _, c := range h.conns {
		if d.Concerns(c.who) {
			owners = append(owners, c.owner)
		}
	}
	h.mu.Unlock()
	for _, o := range owners {
		o.Close(protocol.CloseDisconnected, "")
	}
	h.log.Info("connections closed: the application ordered it", zap.Int("connections", len(owners)), zap.Bool("whole_user", d.SID == ""))
}

// orders remembers the last orders, oldest first. It is guarded by the hub's lock.
type orders struct {
	list []order
	gone time.Time // the time of the last one given up for want of room
}

type order struct {
	protocol.Disconnect
	at time.Time
}

func (o *orders) add(d protocol.Disconnect, now time.Time) {
	for len(o.list) > 0 && now.Sub(o.list[0].at) > orderKept {
		o.list = o.list[1:]
	}
	if len(o.list) == maxOrders {
		o.gone = o.list[0].at
		o.list = o.list[1:]
	}
	o.list = append(o.list, order{d, now})
}

// check says whether who, asked about at that time, has been disconnected since.
func (o *orders) check(who protocol.Principal, asked time.Time) error {
	if !o.gone.IsZero() && !asked.After(o.gone) {
		return ErrUncertain
	}
	for i := len(o.list) - 1; i >= 0 && !o.list[i].at.Before(asked); i-- {
		if o.list[i].Concerns(who) {
			return ErrDisconnected
		}
	}
	return nil
}
