package access

import (
	"time"

	"belfry/pkg/protocol"
	"belfry/services/worker/internal/recall"
)

// maxCached is how many answers, each about one group, a generation of the cache holds.
const maxCached = 100_000

type cacheKey struct {
	who   string
	group protocol.Group
}

// cache keeps the application's answers, one for each user, token and group.
type cache struct{ *recall.Cache[cacheKey, bool] }

func newCache(keep time.Duration, now func() time.Time) cache {
	return cache{recall.New[cacheKey, bool](maxCached, keep, now)}
}

// split returns the answers that are in the cache, and the groups without one. Pass era
// to put.
func (c cache) split(who string, groups []protocol.Group) (known map[protocol.Group]bool, open []protocol.Group, era uint64) {
	keys := make([]cacheKey, len(groups))
	for i, g := range groups {
		keys[i] = cacheKey{who, g}
	}
	values, found, era := c.Get(keys...)
	known = make(map[protocol.Group]bool, len(groups))
	for i, g := range groups {
		if found[i] {
			known[g] = values[i]
		} else {
			open = append(open, g)
		}
	}
	return known, open, era
}

// put stores the answer about each group of a question.
func (c cache) put(era uint64, who string, groups []protocol.Group, allowed map[protocol.Group]bool) {
	entries := make([]recall.Entry[cacheKey, bool], len(groups))
	for i, g := range groups {
		entries[i] = recall.Entry[cacheKey, bool]{Key: cacheKey{who, g}, Value: allowed[g]}
	}
	c.Put(era, entries...)
}
