package logmodel

import (
	"hash/maphash"
	"unsafe"
)

var seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

// key stands for a state.
type key [2]uint64

// keyOf hashes the state's bytes: it holds no pointers, and every field that means
// nothing is zero or none.
func keyOf(s *state) key {
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(s)), unsafe.Sizeof(*s))
	return key{maphash.Bytes(seeds[0], bytes), maphash.Bytes(seeds[1], bytes)}
}

// canonical: workers, gateways, and clients with their groups are alike, so a state
// stands for all its mirror images.
func canonical(s *state) key {
	least := keyOf(s)
	for i := 1; i < 8; i++ {
		if i&4 != 0 && s.using < gateways {
			continue
		}
		mirror := *s
		if i&1 != 0 {
			mirror.swapWorkers()
		}
		if i&2 != 0 {
			mirror.swapClients()
		}
		if i&4 != 0 {
			mirror.swapGateways()
		}
		if k := keyOf(&mirror); k[0] < least[0] || k[0] == least[0] && k[1] < least[1] {
			least = k
		}
	}
	return least
}

// other is the other of two, if it is one of them.
func other(i *int8) {
	if *i >= 0 {
		*i = 1 - *i
	}
}

func (s *state) swapWorkers() {
	s.workers[0], s.workers[1] = s.workers[1], s.workers[0]
	s.down[0], s.down[1] = s.down[1], s.down[0]
	for g := range s.gateways {
		s.up[g][0], s.up[g][1] = s.up[g][1], s.up[g][0]
		other(&s.gateways[g].leader)
	}
}

func (s *state) swapGateways() {
	s.gateways[0], s.gateways[1] = s.gateways[1], s.gateways[0]
	s.windows[0], s.windows[1] = s.windows[1], s.windows[0]
	s.up[0], s.up[1] = s.up[1], s.up[0]
	for w := range s.workers {
		s.down[w][0], s.down[w][1] = s.down[w][1], s.down[w][0]
		s.workers[w].peers[0], s.workers[w].peers[1] = s.workers[w].peers[1], s.workers[w].peers[0]
	}
	for c := range s.clients {
		other(&s.clients[c].gateway)
	}
}

func (s *state) swapClients() {
	s.clients[0], s.clients[1] = s.clients[1], s.clients[0]
	for n := range s.written {
		other(&s.entries[n].group)
	}
	for g := range s.gateways {
		x := &s.gateways[g].groups
		x[0], x[1] = x[1], x[0]
		for w := range s.workers {
			p := &s.workers[w].peers[g]
			p.table = swapBits(p.table)
			for i := range inFlight {
				for _, m := range []*message{&s.down[w][g].messages[i], &s.up[g][w].messages[i]} {
					m.table, m.changed = swapBits(m.table), swapBits(m.changed)
				}
			}
		}
	}
}

func swapBits(b uint8) uint8 { return b&1<<1 | b>>1&1 }
