package edge

import (
	"net/netip"
	"sync"
	"time"

	"belfry/pkg/protocol"
)

// slots limits the connections, handshakes under way included, of the process, of each
// user and of each address. It is safe for concurrent use.
type slots struct {
	most, perUser, perAddress int

	mu        sync.Mutex
	all       int
	users     map[string]int
	addresses map[netip.Addr]int
}

// slot is one connection's entry in the counts. One goroutine at a time uses it.
type slot struct {
	of       *slots
	address  netip.Addr
	user     string
	hasUser  bool
	released bool
	serving  *sync.WaitGroup // of open connections; nil: this is none yet
}

// serve counts the connection as open until its slot is released.
func (t *slot) serve(all *sync.WaitGroup) {
	all.Add(1)
	t.serving = all
}

// Release gives an open connection's slot back. It implements connection.Slot.
func (t *slot) Release() {
	t.release()
	t.serving.Done()
}

func newSlots(o Options) *slots {
	return &slots{
		most: o.MaxConnections, perUser: o.MaxPerUser, perAddress: o.MaxPerAddress,
		users: map[string]int{}, addresses: map[netip.Addr]int{},
	}
}

// acquire counts one more connection from the address, or returns the refusal and true.
func (s *slots) acquire(address netip.Addr) (*slot, refusal, bool) {
	address = protocol.ClientAddr(address)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.all >= s.most:
		return nil, processLimit, true
	case s.addresses[address] >= s.perAddress:
		return nil, addressLimit, true
	}
	s.all++
	s.addresses[address]++
	return &slot{of: s, address: address}, refusal{}, false
}

// acquireUser counts the connection for its user too. It reports false if the user has
// as many connections as are allowed.
func (t *slot) acquireUser(user string) bool {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	if t.of.users[user] >= t.of.perUser {
		return false
	}
	t.of.users[user]++
	t.user, t.hasUser = user, true
	return true
}

// release removes the connection from the counts. A second call does nothing.
func (t *slot) release() {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	if t.released {
		return
	}
	t.released = true
	t.of.all--
	lessOne(t.of.addresses, t.address)
	if t.hasUser {
		lessOne(t.of.users, t.user)
	}
}

func lessOne[K comparable](counts map[K]int, key K) {
	if counts[key]--; counts[key] <= 0 {
		delete(counts, key)
	}
}

// rate is a token bucket for handshakes. It is safe for concurrent use.
type rate struct {
	perSecond float64
	size      float64

	mu   sync.Mutex
	used float64
	last time.Time
}

func newRate(perSecond float64, burst int) *rate {
	return &rate{perSecond: perSecond, size: float64(burst), last: time.Now()}
}

// allow takes one token, and reports false if there is none.
func (r *rate) allow() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drain(time.Now())
	if r.used+1 > r.size {
		return false
	}
	r.used++
	return true
}

func (r *rate) drain(now time.Time) {
	r.used = max(0, r.used-r.perSecond*now.Sub(r.last).Seconds())
	r.last = now
}

// share says which part of the handshake rate one address may use: one in four, so that
// a few hostile addresses leave room for everybody else.
const share = 4

// shares holds a handshake rate for each address. It is safe for concurrent use.
type shares struct {
	perSecond float64
	burst     int

	mu        sync.Mutex
	addresses map[netip.Addr]*rate
	sweep     int // calls of allow until idle addresses are forgotten
}

const sweepEvery = 4096

func newShares(perSecond float64, burst int) *shares {
	return &shares{perSecond: perSecond / share, burst: max(burst/share, 1), addresses: map[netip.Addr]*rate{}, sweep: sweepEvery}
}

// allow counts a handshake of the address. It reports false if the address has used its
// share.
func (s *shares) allow(address netip.Addr) bool {
	address = protocol.ClientAddr(address)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sweep--; s.sweep <= 0 {
		s.sweep = sweepEvery
		now := time.Now()
		for a, r := range s.addresses {
			if r.drain(now); r.used == 0 {
				delete(s.addresses, a)
			}
		}
	}
	r := s.addresses[address]
	if r == nil {
		r = newRate(s.perSecond, s.burst)
		s.addresses[address] = r
	}
	return r.allow()
}
