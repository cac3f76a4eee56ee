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

	// Set before the reading goroutine starts, then unchanged.
	user     json.RawMessage
	identity json.RawMessage // from the accepting decision
	asked    time.Time       // when the token was sent to be checked
	ws       *wsconn.Conn
	conn     *hub.Conn
	opened   time.Time

	arrivals bucket // owned by the reading goroutine
	received int    // messages; owned by the reading goroutine
	invalid  bucket // owned by the working goroutine

	mu      sync.Mutex
	state   State
	expiry  *time.Timer
	mailbox []letter
	waiting int                // bytes in the mailbox
	working bool               // a goroutine works on the mailbox
	cancel  context.CancelFunc // of the question under way; nil: none
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

// Refuse tells the client that its token was refused, closes the connection and
// waits for its end. It blocks as Serve does.
func (c *Conn) Refuse(ws *wsconn.Conn) {
	ws.Push(wsconn.FrameText(protocol.RefusedFrame()))
	ws.Close(protocol.CloseToken, "")
	seeOff(ws)
}

// seeOff reads and discards until the connection ends.
func seeOff(ws *wsconn.Conn) wsconn.Ending {
	for {
		if _, err := ws.Read(); err != nil {
			return ws.Finish()
		}
	}
}

// Serve opens the connection with the accepting decision and handles it until
// it has ended. It blocks: call it in a goroutine of its own.
func (c *Conn) Serve(ws *wsconn.Conn, d protocol.Decision) {
	c.ws, c.user, c.identity = ws, d.User, d.Identity
	if err := c.open(d); err != nil {
		ws.Close(codeOf(err), "")
		seeOff(ws)
		return
	}
	defer c.ended()
	for {
		message, err := ws.Read()
		if err != nil {
			return
		}
		c.receive(message)
	}
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
			Who: protocol.Principal{User: user, SID: d.SID}, Asked: c.asked,
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
	if d.Expires != 0 {
		c.mu.Lock()
		c.expiry = time.AfterFunc(time.Until(time.UnixMilli(d.Expires)), c.expire)
		c.mu.Unlock()
	}
	return nil
}

func (c *Conn) expire() { c.Close(protocol.CloseToken, "") }

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

// ended cleans up. Serve defers it, so that it also runs after a panic.
func (c *Conn) ended() {
	if p := recover(); p != nil {
		c.crashed(p)
	}
	ending := c.ws.Finish()
	c.mu.Lock()
	if c.cancel != nil {
		c.cancel()
	}
	if c.expiry != nil {
		c.expiry.Stop()
	}
	c.mailbox = nil
	c.mu.Unlock()
	groups := c.all.hub.Remove(c.conn, ending)

	c.mu.Lock()
	c.state, _ = c.state.Move(Closed)
	r := c.report(protocol.LifeClosed)
	r.Code, r.Reason, r.Duration = ending.Code, ending.Label(), time.Since(c.opened).Milliseconds()
	c.all.relay.Report(r)
	c.mu.Unlock()
	if len(groups) > 0 {
		c.all.relay.Leave(groups)
	}
	c.all.log.Info("connection closed",
		zap.Uint64("conn", uint64(c.id)), zap.String("remote", c.remote),
		zap.String("reason", ending.Label()), zap.Int("code", int(ending.Code)),
		zap.Int64("duration_ms", r.Duration), zap.Int("messages", c.received), zap.Int("groups", len(groups)))
}

// crashed logs a panic of this connection's handler and closes this connection
// only.
func (c *Conn) crashed(p any) {
	c.all.log.Error("bug: panic while handling a connection, closing it", zap.Uint64("conn", uint64(c.id)),
		zap.String("panic", fmt.Sprint(p)), zap.ByteString("stack", debug.Stack()))
	c.Close(protocol.CloseInternal, "")
}

func (c *Conn) report(kind protocol.LifeKind) protocol.LifeReport {
	return protocol.LifeReport{
		Kind: kind, Conn: c.id, User: c.user, At: time.Now().UnixMilli(), Remote: c.remote,
	}
}
