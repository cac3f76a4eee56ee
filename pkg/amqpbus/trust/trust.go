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
}

// stranger is a user that spoke and is not trusted.
type stranger struct {
	last, logged time.Time
	messages     uint64 // since the last log line
}

// New makes the list. variable is what names its users in a configuration; a nil
// logger is silent.
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

// Trusts reports whether messages of a user are believed, as the broker has
// validated it. One that is not is remembered, and logged at most once a minute.
func (u *Users) Trusts(user string) bool {
	now := time.Now()
	u.mu.Lock()
	defer u.mu.Unlock()
	if slices.Contains(u.trusted, user) {
		u.heard = now
		return true
	}
	s := u.strangers[user]
	if s == nil {
		u.forgetLocked(now)
		if len(u.strangers) >= most {
			return false
		}
		s = &stranger{}
		u.strangers[user] = s
	}
	s.last = now
	s.messages++
	if now.Sub(s.logged) >= again {
		u.log.Warn("messages of a broker user that is not trusted are passed over: if it is one of this installation, name it in the variable",
			zap.String("broker_user", user), zap.String("variable", u.variable), zap.Strings("trusted", u.trusted), zap.Uint64("messages", s.messages))
		s.logged, s.messages = now, 0
	}
	return false
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
