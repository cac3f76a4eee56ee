package hub

import (
	"errors"
	"time"

	"go.uber.org/zap"

	"belfry/pkg/protocol"
)

// Errors of Add, beside ErrDraining.
var (
	// ErrDisconnected says that the application ended the user's login session while
	// the worker was still checking the token.
	ErrDisconnected = errors.New("the application has disconnected this user")
	// ErrUncertain says that more orders arrived during the handshake than the hub
	// remembers, so one of them may have concerned this user. The client may try again.
	ErrUncertain = errors.New("too many disconnect orders came during the handshake")
)

const (
	// orderKept is how long an order is remembered, to be applied to handshakes that
	// were under way when it arrived. It is longer than any handshake takes.
	orderKept = 30 * time.Second
	// maxOrders bounds the number of remembered orders.
	maxOrders = 4096
)

// Disconnect closes the connections that the order concerns with 4403. Handshakes
// that are under way are refused later, by Add: their token may have been checked
// before the application ended the session. Disconnect scans all connections, because
// orders are rare and an index would cost memory for every connection.
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
	h.log.Info("closed connections as the application ordered", zap.Int("connections", len(owners)), zap.Bool("whole_user", d.SID == ""))
}

// orders remembers the latest orders, oldest first. It is guarded by the hub's lock.
type orders struct {
	list    []order
	evicted time.Time // when the newest of the orders evicted for lack of room arrived
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
		o.evicted = o.list[0].at
		o.list = o.list[1:]
	}
	o.list = append(o.list, order{d, now})
}

// check returns ErrDisconnected if an order that concerns who arrived at or after
// asked, the time at which the token was sent to a worker, and ErrUncertain if such an
// order may have been evicted.
func (o *orders) check(who protocol.Principal, asked time.Time) error {
	if !o.evicted.IsZero() && !asked.After(o.evicted) {
		return ErrUncertain
	}
	for i := len(o.list) - 1; i >= 0 && !o.list[i].at.Before(asked); i-- {
		if o.list[i].Concerns(who) {
			return ErrDisconnected
		}
	}
	return nil
}
