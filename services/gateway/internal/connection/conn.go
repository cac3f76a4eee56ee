package connection

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"go.uber.org/zap"

	"belfry/pkg/protocol"
	"belfry/services/gateway/internal/hub"
	"belfry/services/gateway/internal/wsconn"
)

// Conn handles one connection. Ask is called once, then Serve or Refuse once.
// Close may be called at any time after Serve has begun.
type Conn struct {
	all    *Factory
	id     protocol.ConnID
	remote string

	// Set before anything is read, then unchanged.
	slot     Slot
	user     json.RawMessage
	identity json.RawMessage // from the accepting decision
	asked    time.Time       // when the token was sent to be checked
	ws       *wsconn.Conn
	conn     *hub.Conn
	opened   time.Time

	arrivals bucket // owned by the one who reads
	received int    // messages; owned by the one who reads
	invalid  bucket // owned by the working goroutine

	mu      sync.Mutex
	state   State
	mailbox *mailbox // nil: no goroutine works on it

	following bool // the relay knows the connection
}

// ID is the connection's number.
func (c *Conn) ID() protocol.ConnID { return c.id }

// Ask asks a worker whether the token may open a connection. An error means
// that no worker could decide.
func (c *Conn) Ask(ctx context.Context, token protocol.Token) (protocol.Decision, error) {
	c.asked = time.Now()
	d, err := c.all.relay.Connect(ctx, c.id, token, c.remote)
	if err != nil {
		return protocol.Decision{}, fmt.Errorf("ask for a decision: %w", err)
	}
	return d, nil
}

// Slot is a connection's share in what is limited. It is released once, when the
// connection has ended.
type Slot interface{ Release() }

// Refuse tells the client that its token was refused, and closes the connection. It
// does not block.
func (c *Conn) Refuse(ws *wsconn.Conn, slot Slot) {
	ws.Push(wsconn.FrameText(protocol.RefusedFrame()))
	ws.Close(protocol.CloseToken, "")
	ws.Serve(leaving{slot})
}

// leaving handles a connection that was closed before it was open: what it still
// sends is discarded.
type leaving struct{ slot Slot }

func (l leaving) Receive([]byte)      {}
func (l leaving) Crashed(any)         {}
func (l leaving) Ended(wsconn.Ending) { l.slot.Release() }

// Serve opens the connection with the accepting decision and handles it until
// it has ended. It does not block.
func (c *Conn) Serve(ws *wsconn.Conn, d protocol.Decision, slot Slot) {
	c.ws, c.user, c.identity, c.slot = ws, d.User, d.Identity, slot
	if err := c.open(d); err != nil {
		ws.Close(codeOf(err), "")
		ws.Serve(leaving{slot})
		return
	}
	ws.Serve(c)
}

// codeOf is the close code for a connection that the hub refused.
func codeOf(err error) protocol.CloseCode {
	switch {
	case errors.Is(err, hub.ErrDraining):
		return protocol.CloseGoingAway
	case errors.Is(err, hub.ErrDisconnected):
		return protocol.CloseDisconnected
	}
	return protocol.CloseTryLater
}

// open adds the connection to the hub and reports it, unless the hub refuses it.
func (c *Conn) open(d protocol.Decision) error {
	c.mu.Lock()
	c.state, _ = c.state.Move(Open)
	c.opened = time.Now()
	c.mu.Unlock()
	user, err := protocol.ParseUser(d.User)
	if err == nil {
		c.conn, err = c.all.hub.Add(hub.Newcomer{
			ID: c.id, Out: c.ws, Owner: c, First: protocol.AcceptFrame(c.user),
			Who: protocol.Principal{User: user, SID: d.SID}, Asked: c.asked, Expires: d.Expires,
		})
	}
	if err != nil {
		c.mu.Lock()
		c.state, _ = c.state.Move(Closed)
		c.mu.Unlock()
		return err
	}
	c.all.relay.Report(c.report(protocol.LifeOpened))
	c.ws.Flush()
	return nil
}

// Close asks the connection to end with the code; an empty reason means the
// constant one. It implements hub.Owner and does not block.
func (c *Conn) Close(code protocol.CloseCode, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now, ok := c.state.Move(Draining); ok {
		c.state = now
		c.ws.Close(code, reason)
	}
}

// Ended cleans up. It implements wsconn.Handler.
func (c *Conn) Ended(ending wsconn.Ending) {
	defer c.slot.Release()
	c.mu.Lock()
	if c.mailbox != nil {
		c.mailbox.stop()
	}
	c.mu.Unlock()
	groups := c.all.hub.Remove(c.conn, ending)

	c.mu.Lock()
	c.state, _ = c.state.Move(Closed)
	r := c.report(protocol.LifeClosed)
	r.Code, r.Reason, r.Duration = ending.Code, ending.Label(), time.Since(c.opened).Milliseconds()
	c.all.relay.Report(r)
	if c.following {
		c.all.relay.Close(c.id)
	}
	c.mu.Unlock()
	c.all.log.Info("connection closed",
		zap.Uint64("conn", uint64(c.id)), zap.String("remote", c.remote),
		zap.String("reason", ending.Label()), zap.Int("code", int(ending.Code)),
		zap.Int64("duration_ms", r.Duration), zap.Int("messages", c.received), zap.Int("groups", len(groups)))
}

// Crashed logs a panic of this connection's handler and closes this connection
// only. It implements wsconn.Handler.
func (c *Conn) Crashed(p any) {
	c.all.log.Error("bug: panic while handling a connection, closing it", zap.Uint64("conn", uint64(c.id)),
		zap.String("panic", fmt.Sprint(p)), zap.ByteString("stack", debug.Stack()))
	c.Close(protocol.CloseInternal, "")
}

func (c *Conn) report(kind protocol.LifeKind) protocol.LifeReport {
	return protocol.LifeReport{
		Kind: kind, Conn: c.id, User: c.user, At: time.Now().UnixMilli(), Remote: c.remote,
	}
}
