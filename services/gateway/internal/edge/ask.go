package edge

import (
	"context"
	"net/http"
	"net/netip"

	"go.uber.org/zap"

	"belfry/pkg/protocol"
)

// ask asks a worker for its decision while the handshake waits, and acts on it. It
// releases the slot if the connection is refused; otherwise the slot is released when
// the connection has ended.
func (e *Edge) ask(w http.ResponseWriter, r *http.Request, token protocol.Token, subprotocol string, remote netip.Addr, slot *slot) refusal {
	s := e.o.Connections.Begin(remoteText(remote))
	ctx, cancel := context.WithTimeout(r.Context(), e.o.DecisionTimeout)
	d, err := s.Ask(ctx, token)
	cancel()
	switch {
	case r.Context().Err() != nil: // the client hung up
		slot.release()
		return refusal{label: labelGone}
	case err != nil || d.Verdict == protocol.VerdictUnavailable:
		e.o.Logger.Debug("no worker decided about a handshake", zap.Uint64("conn", uint64(s.ID())), zap.Error(err))
		slot.release()
		return noDecision
	case e.draining.Load():
		slot.release()
		return draining
	case accepted(d) && !slot.acquireUser(string(d.User)):
		slot.release()
		return userLimit
	}
	ws := e.upgrade(w, r, subprotocol)
	if ws == nil {
		slot.release()
		return refusal{label: labelBroken}
	}
	slot.serve(&e.serving)
	if !accepted(d) {
		e.o.Logger.Debug("token refused", zap.Uint64("conn", uint64(s.ID())), zap.String("reason", d.Reason))
		s.Refuse(ws, slot)
		return refusal{label: labelToken}
	}
	s.Serve(ws, d, slot)
	return refusal{label: labelAccepted}
}
