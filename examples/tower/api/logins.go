package api

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// Bounds on logins: checking a password costs much on purpose.
const (
	maxWrong      = 10 // wrong logins of an address in wrongWindow
	wrongWindow   = time.Minute
	maxChecking   = 2 // passwords that are checked at a time
	checkWithin   = 5 * time.Second
	maxRemembered = 10_000 // addresses
)

// logins counts wrong logins by address, and lets few passwords be checked at a
// time. Its methods may be called concurrently.
type logins struct {
	now      func() time.Time
	checking chan struct{}

	mu    sync.Mutex
	wrong map[string]attempts
}

type attempts struct {
	count int
	since time.Time
}

func newLogins() *logins {
	return &logins{now: time.Now, checking: make(chan struct{}, maxChecking), wrong: map[string]attempts{}}
}

// begin counts a login of an address as wrong until right says otherwise: those
// that are checked at the same time count, too. It reports false where there were
// too many.
func (l *logins) begin(address string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	a := l.wrong[address]
	if now.Sub(a.since) >= wrongWindow {
		a = attempts{since: now}
	}
	if a.count >= maxWrong {
		return false
	}
	if _, known := l.wrong[address]; !known && len(l.wrong) >= maxRemembered {
		l.forgetLocked(now)
	}
	a.count++
	l.wrong[address] = a
	return true
}

// right takes back what begin has counted.
func (l *logins) right(address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a, known := l.wrong[address]; known && a.count > 0 {
		a.count--
		l.wrong[address] = a
	}
}

// forgetLocked makes room: what is over, and where that is not enough, all.
func (l *logins) forgetLocked(now time.Time) {
	for address, a := range l.wrong {
		if now.Sub(a.since) >= wrongWindow {
			delete(l.wrong, address)
		}
	}
	if len(l.wrong) >= maxRemembered {
		clear(l.wrong)
	}
}

// turn waits until a password may be checked. done must be called when ok.
func (l *logins) turn(ctx context.Context) (done func(), ok bool) {
	ctx, cancel := context.WithTimeout(ctx, checkWithin)
	defer cancel()
	select {
	case l.checking <- struct{}{}:
		return func() { <-l.checking }, true
	case <-ctx.Done():
		return nil, false
	}
}

// clientAddress is who asks. A proxy on this host is believed: nginx overwrites the
// header.
func clientAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	if forwarded := r.Header.Get("X-Forwarded-For"); forwarded != "" && net.ParseIP(host).IsLoopback() {
		return forwarded
	}
	return host
}
