package edge

import (
	"net/netip"
	"sync"
	"time"

	"belfry/pkg/protocol"
)

// slots counts connections and handshakes under way.
type slots struct {
	most, perUser, perAddress int

	mu        sync.Mutex
	all       int
	users     map[string]int
	addresses map[netip.Addr]int
}

// slot is one connection's share in the counts. It is used by one goroutine at
// a time.
type slot struct {
	of       *slots
	address  netip.Addr
	user     string
	hasUser  bool
	released bool
}

func newSlots(o Options) *slots {
	return &slots{
		most: o.MaxConnections, perUser: o.MaxPerUser, perAddress: o.MaxPerAddress,
		users: map[string]int{}, addresses: map[netip.Addr]int{},
	}
}

// take counts one more connection from the address.
func (s *slots) take(address netip.Addr) (*slot, refusal, bool) {
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

// takeUser counts the connection for its user too; false when the user has
// enough.
func (t *slot) takeUser(user string) bool {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	if t.of.users[user] >= t.of.perUser {
		return false
	}
	t.of.users[user]++
	t.user, t.hasUser = user, true
	return true
}

// release gives the slot back; a second call does nothing.
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

// rate is a token bucket for handshakes, shared by all of them.
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

func (r *rate) take() bool {
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

// share is the part of the handshake rate that one address may use, so that
// strangers at a few addresses leave room for everybody else.
const share = 4

// shares are the handshake rates of addresses.
type shares struct {
	perSecond float64
	burst     int

	mu        sync.Mutex
	addresses map[netip.Addr]*rate
	sweep     int // takes until the idle ones are forgotten
}

const sweepEvery = 4096

func newShares(perSecond float64, burst int) *shares {
	return &shares{perSecond: perSecond / share, burst: max(burst/share, 1), addresses: map[netip.Addr]*rate{}, sweep: sweepEvery}
}

// take counts a handshake of the address; false when it had its share.
func (s *shares) take(address netip.Addr) bool {
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
	return r.take()
}
