package session

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

// Session is one connection's life. Ask, then Serve or Refuse, are called once
// and in this order; Close may be called at any time after Serve has begun.
type Session struct {
	all    *Sessions
	id     protocol.ConnID
	remote string

	// Set before the reading goroutine starts, then unchanged.
	user   json.RawMessage
	proof  json.RawMessage // the worker's session context
	asked  time.Time       // when the token was sent to be checked
	ws     *wsconn.Conn
	conn   *hub.Conn
	opened time.Time

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
func (s *Session) ID() protocol.ConnID { return s.id }

// Ask asks a worker whether the token may open a connection. An error means
// that nobody could decide.
func (s *Session) Ask(ctx context.Context, token protocol.Token) (protocol.Decision, error) {
	s.asked = time.Now()
	d, err := s.all.relay.Connect(ctx, s.id, token, s.remote)
	if err != nil {
		return protocol.Decision{}, fmt.Errorf("ask for a decision: %w", err)
	}
	return d, nil
}

// Refuse tells the client that its token was refused and sees the connection
// to its end. It blocks as Serve does.
func (s *Session) Refuse(ws *wsconn.Conn) {
	ws.Push(wsconn.FrameText(protocol.RefusedFrame()))
	ws.Close(protocol.CloseToken, "")
	seeOff(ws)
}

// seeOff reads until the connection ends.
func seeOff(ws *wsconn.Conn) wsconn.Ending {
	for {
		if _, err := ws.Read(); err != nil {
			return ws.Finish()
		}
	}
}

// Serve opens the connection with the accepting decision and handles it until
// it has ended. It blocks: the caller gives it a fresh goroutine.
func (s *Session) Serve(ws *wsconn.Conn, d protocol.Decision) {
	s.ws, s.user, s.proof = ws, d.User, d.Session
	if err := s.open(d); err != nil {
		ws.Close(codeOf(err), "")
		seeOff(ws)
		return
	}
	defer s.ended()
	for {
		message, err := ws.Read()
		if err != nil {
			return
		}
		s.receive(message)
	}
}

// codeOf is the close code of a connection that the hub did not take.
func codeOf(err error) protocol.CloseCode {
	switch {
	case errors.Is(err, hub.ErrDraining):
		return protocol.CloseGoingAway
	case errors.Is(err, hub.ErrDisconnected):
		return protocol.CloseDisconnected
	}
	return protocol.CloseTryLater
}

// open makes the connection known, unless the hub does not take it.
func (s *Session) open(d protocol.Decision) error {
	s.mu.Lock()
	s.state, _ = s.state.Move(Open)
	s.opened = time.Now()
	s.mu.Unlock()
	user, err := protocol.ParseUser(d.User)
	if err == nil {
		s.conn, err = s.all.hub.Add(hub.Newcomer{
			ID: s.id, Out: s.ws, Owner: s, First: protocol.AcceptFrame(s.user),
			Who: protocol.Principal{User: user, SID: d.SID}, Asked: s.asked,
		})
	}
	if err != nil {
		s.mu.Lock()
		s.state, _ = s.state.Move(Closed)
		s.mu.Unlock()
		return err
	}
	s.all.relay.Report(s.report(protocol.LifeOpened))
	s.ws.Flush()
	if d.Expires != 0 {
		s.mu.Lock()
		s.expiry = time.AfterFunc(time.Until(time.UnixMilli(d.Expires)), s.expire)
		s.mu.Unlock()
	}
	return nil
}

func (s *Session) expire() { s.Close(protocol.CloseToken, "") }

// Close asks the connection to end with the code; an empty reason means the
// constant one. It implements hub.Owner and does not block.
func (s *Session) Close(code protocol.CloseCode, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now, ok := s.state.Move(Draining); ok {
		s.state = now
		s.ws.Close(code, reason)
	}
}

// ended is deferred by Serve: it runs also when something panicked there.
func (s *Session) ended() {
	if p := recover(); p != nil {
		s.crashed(p)
	}
	ending := s.ws.Finish()
	s.mu.Lock()
	if s.cancel != nil {
		s.cancel()
	}
	if s.expiry != nil {
		s.expiry.Stop()
	}
	s.mailbox = nil
	s.mu.Unlock()
	groups := s.all.hub.Remove(s.conn, ending)

	s.mu.Lock()
	s.state, _ = s.state.Move(Closed)
	r := s.report(protocol.LifeClosed)
	r.Code, r.Reason, r.Duration = ending.Code, ending.Label(), time.Since(s.opened).Milliseconds()
	s.all.relay.Report(r)
	s.mu.Unlock()
	if len(groups) > 0 {
		s.all.relay.Leave(groups)
	}
	s.all.log.Info("connection closed",
		zap.Uint64("conn", uint64(s.id)), zap.String("remote", s.remote),
		zap.String("reason", ending.Label()), zap.Int("code", int(ending.Code)),
		zap.Int64("duration_ms", r.Duration), zap.Int("messages", s.received), zap.Int("groups", len(groups)))
}

// crashed logs a panic of this connection's handler and closes it: the others
// go on.
func (s *Session) crashed(p any) {
	s.all.log.Error("bug: panic while handling a connection, closing it", zap.Uint64("conn", uint64(s.id)),
		zap.String("panic", fmt.Sprint(p)), zap.ByteString("stack", debug.Stack()))
	s.Close(protocol.CloseInternal, "")
}

func (s *Session) report(kind protocol.LifeKind) protocol.LifeReport {
	return protocol.LifeReport{
		Kind: kind, Conn: s.id, User: s.user, At: time.Now().UnixMilli(), Remote: s.remote,
	}
}
