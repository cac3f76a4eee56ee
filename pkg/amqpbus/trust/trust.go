// Package trust keeps the list of broker users whose messages a process believes,
// and remembers who else spoke: most often a gateway or worker of the same
// installation that a variable does not name.
package trust

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"belfry/pkg/amqpbus"
)

const (
	// again is the least time between two log lines about one user.
	again = time.Minute
	// lasts is how long a user that spoke is remembered.
	lasts = time.Minute
	// most bounds the strangers remembered.
	most = 16
)

// Users are the trusted users. All methods may be called concurrently.
type Users struct {
	variable string
	trusted  []string // never changed
	log      *zap.Logger

	mu        sync.Mutex
	heard     time.Time            // guarded by mu; when a trusted user spoke last
	strangers map[string]*stranger // guarded by mu
	replays   stranger             // guarded by mu; what trusted users said once, played back
}

// stranger is a user that spoke and is not trusted.
type stranger struct {
	last, logged time.Time
	messages     uint64 // since the last log line
}

// New makes the list. variable is the setting that names the users. log may be nil.
func New(variable string, users []string, log *zap.Logger) *Users {
	if log == nil {
		log = zap.NewNop()
	}
	return &Users{variable: variable, trusted: slices.Clone(users), log: log, strangers: map[string]*stranger{}}
}

// Names are the trusted users; the caller does not change them.
func (u *Users) Names() []string { return u.trusted }

// Has reports whether the user is one of them, and remembers nothing: it is asked about
// messages that others may send, too.
func (u *Users) Has(user string) bool { return slices.Contains(u.trusted, user) }

// Trusts reports whether a message is believed, by the user that the broker validated
// when it was published. A user that is not trusted is remembered, and logged at most
// once a minute.
//
// What was dead-lettered is not believed, whoever published it: Belfry lets no message
// between its processes go that way, but whoever may declare a queue can collect what
// others said and let it die into another queue, later, with their names still on it.
func (u *Users) Trusts(d *amqpbus.Delivery) bool {
	now := time.Now()
	u.mu.Lock()
	defer u.mu.Unlock()
	if slices.Contains(u.trusted, d.UserID) {
		if d.Dead != nil {
			u.replayedLocked(now, d)
			return false
		}
		u.heard = now
		return true
	}
	s := u.strangers[d.UserID]
	if s == nil {
		u.forgetLocked(now)
		if len(u.strangers) >= most {
			return false
		}
		s = &stranger{}
		u.strangers[d.UserID] = s
	}
	if messages := s.speaks(now); messages > 0 {
		u.log.Warn("messages of a broker user that is not trusted are passed over: if it is one of this installation, name it in the variable",
			zap.String("broker_user", d.UserID), zap.String("variable", u.variable), zap.Strings("trusted", u.trusted), zap.Uint64("messages", messages))
	}
	return false
}

func (u *Users) replayedLocked(now time.Time, d *amqpbus.Delivery) {
	if messages := u.replays.speaks(now); messages > 0 {
		u.log.Warn("messages that were dead-lettered are passed over: somebody who may declare queues plays back what others said",
			zap.String("broker_user", d.UserID), zap.String("died_in", d.Dead.Queue), zap.Uint64("messages", messages))
	}
}

// speaks counts one message, and returns how many there were since the last log line
// if it is time for another, or 0.
func (s *stranger) speaks(now time.Time) uint64 {
	s.last = now
	s.messages++
	if now.Sub(s.logged) < again {
		return 0
	}
	messages := s.messages
	s.logged, s.messages = now, 0
	return messages
}

// Strangers are the users that spoke in the last minute and are not trusted, in
// order.
func (u *Users) Strangers() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.forgetLocked(time.Now())
	names := make([]string, 0, len(u.strangers))
	for name := range u.strangers {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Reason says that strangers alone were heard in the last minute, and which
// variable to look at; empty: it is not so.
func (u *Users) Reason() string {
	strangers := u.Strangers()
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(strangers) == 0 || time.Since(u.heard) < lasts {
		return ""
	}
	return fmt.Sprintf("messages of the broker user %s are passed over: %s names %s", quoted(strangers), u.variable, quoted(u.trusted))
}

func (u *Users) forgetLocked(now time.Time) {
	for name, s := range u.strangers {
		if now.Sub(s.last) > lasts {
			delete(u.strangers, name)
		}
	}
}

func quoted(names []string) string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(out, ", ")
}
