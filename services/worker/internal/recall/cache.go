// Package recall keeps answers of other servers for a short while.
//
// A cache keeps two generations: when the young one is full or old, it becomes
// the old one, whose answers are forgotten with it. So a cache is bounded, and
// forgetting costs nothing per answer. What is put belongs to the era in which
// its question began: an answer whose question began before a Forget is not
// kept.
package recall

import (
	"sync"
	"time"
)

// Cache is safe for concurrent use.
type Cache[K comparable, V any] struct {
	most int           // entries of one generation
	keep time.Duration // zero or less: nothing is kept
	now  func() time.Time

	mu         sync.Mutex
	young, old map[K]entry[V]
	born       time.Time // of young
	era        uint64    // counts Forget
}

type entry[V any] struct {
	value V
	until time.Time
}

// New makes a cache of at most twice `most` entries, each kept for at most
// `keep`.
func New[K comparable, V any](most int, keep time.Duration, now func() time.Time) *Cache[K, V] {
	return &Cache[K, V]{most: most, keep: keep, now: now, young: map[K]entry[V]{}, born: now()}
}

// Get returns what is known of each key, by place; era is for Put.
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

// Entry is one answer. A zero Until is as long as the cache keeps answers.
type Entry[K comparable, V any] struct {
	Key   K
	Value V
	Until time.Time
}

// Put keeps answers whose question began in that era.
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

// Forget drops all answers, and those of questions that are on their way.
func (c *Cache[K, V]) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.young, c.old, c.born = map[K]entry[V]{}, nil, c.now()
	c.era++
}
