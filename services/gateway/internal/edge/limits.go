package edge

import (
	"net/netip"
	"sync"
	"time"
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

// take counts one more connection from the address. IPv6 addresses count by
// their /64, which is what one client has.
func (s *slots) take(address netip.Addr) (*slot, refusal, bool) {
	if address.Is6() {
		if p, err := address.Prefix(64); err == nil {
			address = p.Addr()
		}
	}
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
	now := time.Now()
	r.used = max(0, r.used-r.perSecond*now.Sub(r.last).Seconds())
	r.last = now
	if r.used+1 > r.size {
		return false
	}
	r.used++
	return true
}
