// Package recall is a bounded cache for answers of other servers.
//
// A cache has two generations. When the young one is full or too old, it becomes the old
// one, and the previous old one is dropped. This bounds the cache without any work per
// entry. An era is the time between two calls of Forget. An answer is stored only if its
// question began in the current era.
package recall

import (
	"sync"
	"time"
)

// Cache maps keys to answers. It is safe for concurrent use.
type Cache[K comparable, V any] struct {
	most int           // most entries of one generation
	keep time.Duration // zero or less: nothing is stored
	now  func() time.Time

	mu         sync.Mutex
	young, old map[K]entry[V]
	born       time.Time // when young was begun
	era        uint64    // number of calls of Forget
}

type entry[V any] struct {
	value V
	until time.Time
}

// New makes a cache of at most 2*most entries, each of which is valid for at most keep.
func New[K comparable, V any](most int, keep time.Duration, now func() time.Time) *Cache[K, V] {
	return &Cache[K, V]{most: most, keep: keep, now: now, young: map[K]entry[V]{}, born: now()}
}

// Get returns the value of each key, in the order of keys, and whether it was found. Pass
// era to Put with the answers to the missing ones.
func (c *Cache[K, V]) Get(keys ...K) (values []V, found []bool, era uint64) {
	values, found = make([]V, len(keys)), make([]bool, len(keys))
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, k := range keys {
		e, ok := c.young[k]
		if !ok {
			e, ok = c.old[k]
		}
		if ok && now.Before(e.until) {
			values[i], found[i] = e.value, true
		}
	}
	return values, found, c.era
}

// Entry is one answer. It is valid until Until, or as long as the cache allows if that is
// zero or later.
type Entry[K comparable, V any] struct {
	Key   K
	Value V
	Until time.Time
}

// Put stores answers whose questions began in that era. It does nothing if Forget was called
// since.
func (c *Cache[K, V]) Put(era uint64, entries ...Entry[K, V]) {
	if c.keep <= 0 {
		return
	}
	now := c.now()
	longest := now.Add(c.keep)
	c.mu.Lock()
	defer c.mu.Unlock()
	if era != c.era {
		return
	}
	if len(c.young)+len(entries) > c.most || now.Sub(c.born) >= c.keep {
		c.old, c.young, c.born = c.young, make(map[K]entry[V], len(entries)), now
	}
	for _, e := range entries {
		until := longest
		if !e.Until.IsZero() && e.Until.Before(until) {
			until = e.Until
		}
		c.young[e.Key] = entry[V]{e.Value, until}
	}
}

// Forget drops all answers. Answers to questions that are already being asked will not be
// stored.
func (c *Cache[K, V]) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.young, c.old, c.born = map[K]entry[V]{}, nil, c.now()
	c.era++
}
