package access

import (
	"sync"
	"time"

	"belfry/pkg/protocol"
)

// maxCached bounds one generation of the cache, in answers about one group.
const maxCached = 100_000

type cacheKey struct {
	who   string
	group protocol.Group
}

type cached struct {
	allowed bool
	until   time.Time
}

// cache keeps answers for a fixed time in two generations: when the young one
// is full or old, it becomes the old one, whose answers are forgotten with it.
// So it is bounded, and forgetting costs nothing per answer.
type cache struct {
	keep time.Duration // zero: nothing is kept
	now  func() time.Time

	mu         sync.Mutex
	young, old map[cacheKey]cached
	born       time.Time // of young
	forgotten  uint64    // counts forget
}

func newCache(keep time.Duration, now func() time.Time) *cache {
	return &cache{keep: keep, now: now, young: map[cacheKey]cached{}, born: now()}
}

// split gives the answers that are known, and the groups that are not; era is
// for put.
func (c *cache) split(who string, groups []protocol.Group) (known map[protocol.Group]bool, open []protocol.Group, era uint64) {
	known = make(map[protocol.Group]bool, len(groups))
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, g := range groups {
		k := cacheKey{who, g}
		entry, found := c.young[k]
		if !found {
			entry, found = c.old[k]
		}
		if found && now.Before(entry.until) {
			known[g] = entry.allowed
		} else {
			open = append(open, g)
		}
	}
	return known, open, c.forgotten
}

// put keeps the answer about each group that was asked, unless everything was
// forgotten since the question, in its era, began.
func (c *cache) put(era uint64, who string, groups []protocol.Group, allowed map[protocol.Group]bool) {
	if c.keep <= 0 {
		return
	}
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if era != c.forgotten {
		return
	}
	if len(c.young)+len(groups) > maxCached || now.Sub(c.born) >= c.keep {
		c.old, c.young, c.born = c.young, make(map[cacheKey]cached, len(groups)), now
	}
	for _, g := range groups {
		c.young[cacheKey{who, g}] = cached{allowed[g], now.Add(c.keep)}
	}
}

// forget drops all answers, and those of questions that are on their way.
func (c *cache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.young, c.old, c.born = map[cacheKey]cached{}, nil, c.now()
	c.forgotten++
}
