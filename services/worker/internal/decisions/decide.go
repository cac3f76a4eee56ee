package decisions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"time"

	"go.uber.org/zap"

	"belfry/pkg/protocol"
	"belfry/services/worker/auth"
)

// decideConnect decides whether a token may open a connection, and finds its user.
func (s *Server) decideConnect(ctx context.Context, q protocol.Connect) (d protocol.Decision) {
	d = protocol.Decision{Conn: q.Conn, Question: q.Question}
	defer s.recoverInto(&d)
	if q.Token.Empty() {
		return refuse(d, "there is no token")
	}
	id, err := s.options.Authenticator.Authenticate(ctx, q.Token, protocol.ClientOf(q.Remote))
	switch {
	case errors.Is(err, auth.ErrRefused):
		return refuse(d, err.Error())
	case err != nil:
		return s.unavailable(d, "authentication is unavailable", err)
	case s.expired(id):
		return refuse(d, "the token has expired")
	}
	// The authenticators check ids, too. If one of them fails to, an id that is a pattern
	// is still refused here.
	if _, err := protocol.ParseUser(id.User); err != nil {
		return refuse(d, err.Error())
	}
	identity, err := json.Marshal(id)
	if err != nil {
		return s.unavailable(d, "the identity could not be encoded", err)
	}
	d.Verdict, d.User, d.SID, d.Identity = protocol.VerdictAccept, id.User, id.SID, identity
	if !id.Expires.IsZero() {
		d.Expires = id.Expires.UnixMilli()
	}
	return d
}

// decideSubscribe decides which groups are allowed. The identity was made by a worker
// and came back through a gateway; clients never see it.
func (s *Server) decideSubscribe(ctx context.Context, q protocol.Subscribe) (d protocol.Decision) {
	d = protocol.Decision{Conn: q.Conn, Question: q.Question}
	defer s.recoverInto(&d)
	var id auth.Identity
	if err := json.Unmarshal(q.Identity, &id); err != nil || len(id.User) == 0 {
		return refuse(d, "the identity cannot be read")
	}
	if s.expired(id) {
		return refuse(d, "the token has expired")
	}
	for _, g := range q.Groups {
		if _, err := protocol.ParseGroup(string(g)); err != nil {
			return refuse(d, "a group is out of bounds")
		}
	}
	result, err := s.options.Authorizer.Authorize(ctx, id, q.Groups)
	if err != nil {
		return s.unavailable(d, "authorization is unavailable", err)
	}
	d.Verdict, d.Allowed = protocol.VerdictAccept, result.Allowed
	return d
}

func (s *Server) expired(id auth.Identity) bool {
	return !id.Expires.IsZero() && !s.options.Now().Before(id.Expires)
}

func refuse(d protocol.Decision, why string) protocol.Decision {
	d.Verdict, d.Reason = protocol.VerdictRefuse, why
	return d
}

func (s *Server) unavailable(d protocol.Decision, why string, err error) protocol.Decision {
	s.logger.Warn("question not decided: the client is told to try again", zap.String("what", why), zap.Error(err))
	d.Verdict, d.Reason = protocol.VerdictUnavailable, why
	return d
}

// recoverInto turns a panic into a decision. It logs the value of the panic only if that
// is a runtime error, because any other value could contain a token.
func (s *Server) recoverInto(d *protocol.Decision) {
	cause := recover()
	if cause == nil {
		return
	}
	s.metrics.panics.Inc()
	s.logPanic(cause)
	*d = protocol.Decision{
		Conn: d.Conn, Question: d.Question,
		Verdict: protocol.VerdictUnavailable, Reason: "internal error",
	}
}

func (s *Server) logPanic(cause any) {
	what := fmt.Sprintf("%T", cause)
	if err, own := cause.(runtime.Error); own {
		what = err.Error()
	}
	s.logger.Error("bug: panic while deciding a question: the client is told to try again", zap.String("panic", what), zap.Stack("stack"))
}

// questionTime is how long after its receipt a question is answered at the latest. The
// gateway does not wait longer.
const questionTime = 5 * time.Second
