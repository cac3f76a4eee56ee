package continuity

import (
	"hash/maphash"
	"time"

	"belfry/pkg/protocol"
)

// memory recognises events that were delivered, by message id, group and body.
// Events are kept in two generations: the older is forgotten when the newer has
// its age and its number, so that each is remembered for at least one age. Few events are remembered for longer.
type memory struct {
	keep  time.Duration
	least int
	most  int             // entries of a generation
	seeds [3]maphash.Seed // of ids, groups, bodies
	newer map[name]uint64 // hash of the body
	older map[name]uint64
	began time.Duration // of the newer

	forgotten uint64
}

// name is the hashes of an event's id and group.
type name struct{ id, group uint64 }

// entryBytes is what an entry takes in a map, with the map's room to grow.
const entryBytes = 64

func newMemory(o Options) *memory {
	return &memory{
		keep: o.Remember, least: o.RememberCount,
		most:  max(int(o.RememberBytes/entryBytes/2), 1),
		seeds: [3]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed(), maphash.MakeSeed()},
		newer: map[name]uint64{},
	}
}

// verdict is what the memory knows of an event.
type verdict uint8

const (
	unknown verdict = iota
	seen
	otherBody // the id was seen with another body
)

// knows reports whether an event is remembered, with this body.
func (m *memory) knows(e *protocol.Event) bool {
	before, there := m.recall(m.name(e))
	return there && before == maphash.Bytes(m.seeds[2], e.Payload)
}

// see remembers an event and says whether it was remembered.
func (m *memory) see(e *protocol.Event, clock time.Duration) verdict {
	n, body := m.name(e), maphash.Bytes(m.seeds[2], e.Payload)
	before, there := m.recall(n)
	if !there || before != body {
		m.newer[n] = body
		if len(m.newer) >= m.most {
			m.rotate(clock)
		}
	}
	switch {
	case !there:
		return unknown
	case before == body:
		return seen
	}
	return otherBody
}

// recall returns the hash of the body that came with a name.
func (m *memory) recall(n name) (body uint64, there bool) {
	if body, there = m.newer[n]; there {
		return body, true
	}
	body, there = m.older[n]
	return body, there
}

func (m *memory) name(e *protocol.Event) name {
	return name{maphash.String(m.seeds[0], e.ID), maphash.String(m.seeds[1], string(e.Group))}
}

// fewFor is for how many ages few events are remembered.
const fewFor = 15

// age lets the older generation go when the newer has its age and number.
func (m *memory) age(clock time.Duration) {
	age := clock - m.began
	if age >= m.keep && len(m.newer) >= m.least || age >= fewFor*m.keep {
		m.rotate(clock)
	}
}

func (m *memory) rotate(clock time.Duration) {
	if clock-m.began < m.keep {
		m.forgotten += uint64(len(m.older))
	}
	m.older, m.newer = m.newer, make(map[name]uint64, len(m.newer)/2)
	m.began = clock
}

func (m *memory) len() int { return len(m.newer) + len(m.older) }

// unseen returns the events that were not delivered before, in order and in the
// same memory. One without an id cannot be recognised.
func (c *Core) unseen(events []protocol.Event) []protocol.Event {
	kept := events[:0]
	for i := range events {
		e := &events[i]
		if e.ID != "" {
			switch c.memory.see(e, c.clock) {
			case seen:
				c.stats.Duplicates++
				continue
			case otherBody:
				c.stats.OtherBody++
			case unknown:
			}
		}
		kept = append(kept, *e)
	}
	return kept
}
