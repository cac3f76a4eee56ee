package relay

// maxRepeats bounds the ids remembered.
const maxRepeats = 4096

// repeats knows the messages to all gateways that have come. A worker sends one
// again while some other gateway's queue is full, for about as long as a dead
// gateway's queue lives; to act on it again would tell of the same gap, or
// disconnect who has logged in anew. It is owned by the receiver.
type repeats struct {
	known map[string]struct{}
	ring  []string
	next  int
}

// again reports that the id has come before, and remembers it. No id is never
// the same.
func (r *repeats) again(id string) bool {
	if id == "" {
		return false
	}
	if _, known := r.known[id]; known {
		return true
	}
	if r.known == nil {
		r.known, r.ring = map[string]struct{}{}, make([]string, maxRepeats)
	}
	delete(r.known, r.ring[r.next])
	r.known[id] = struct{}{}
	r.ring[r.next] = id
	r.next = (r.next + 1) % maxRepeats
	return false
}
