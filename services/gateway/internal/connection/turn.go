package connection

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"belfry/pkg/protocol"
)

// What became of messages whose user changes groups too fast.
const (
	pacedWaited  = "waited"
	pacedRefused = "refused"
)

func newPaced(r prometheus.Registerer) *prometheus.CounterVec {
	paced := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "belfry_gateway_paced_messages_total",
		Help: "Client messages that waited, or were refused, because their user changes more groups than BELFRY_GROUP_RATE allows.",
	}, []string{"outcome"})
	for _, outcome := range []string{pacedWaited, pacedRefused} {
		paced.WithLabelValues(outcome)
	}
	if r != nil {
		r.MustRegister(paced)
	}
	return paced
}

var errPaced = errors.New("the user changes more groups than BELFRY_GROUP_RATE allows")

// waitTurn charges the user for the groups that the message changes, and waits where
// the user has changed too many. It reports false when the message has been answered,
// or the connection has ended. A message that cannot have its turn in time is refused
// after the same wait: answered at once, a client that asks again at once would cost the
// work of reading its message each time.
func (c *Conn) waitTurn(ctx context.Context, groups []protocol.Group) bool {
	current := c.all.hub.Groups(c.conn)
	changes := len(minus(groups, current)) + len(minus(current, groups))
	most := c.all.o.AnswerTimeout
	if end, has := ctx.Deadline(); has {
		most = time.Until(end) / 2 // the rest is for the change itself
	}
	wait, ok := c.all.pace.charge(string(c.user), changes, most)
	if ok && wait == 0 {
		return true
	}
	outcome := pacedWaited
	if !ok {
		outcome, wait = pacedRefused, most
	}
	c.all.paced.WithLabelValues(outcome).Inc()
	c.tellPaced()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		if !ok {
			c.unavailable("pace", errPaced)
		}
		return ok
	case <-ctx.Done():
		c.unavailable("pace", ctx.Err())
		return false
	}
}

// told remembers when a user was last named in the log.
type told struct {
	mu sync.Mutex
	at time.Time
}

const tellAgainAfter = time.Minute

// tellPaced names the user in the log, once a minute at most for all of them.
func (c *Conn) tellPaced() {
	c.all.told.mu.Lock()
	defer c.all.told.mu.Unlock()
	if now := time.Now(); now.Sub(c.all.told.at) >= tellAgainAfter {
		c.all.told.at = now
		c.all.log.Warn("a user changes groups faster than BELFRY_GROUP_RATE, the messages of this user wait; others do not",
			zap.ByteString("user", c.user), zap.Uint64("conn", uint64(c.id)), zap.String("remote", c.remote))
	}
}
