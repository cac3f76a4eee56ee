package protocol

// MaxShards is the largest number of shards of the emit queue.
const MaxShards = 256

// ShardOf returns the shard, from 0 to n-1, that a group belongs to: the 32-bit FNV-1a hash
// of its UTF-8 bytes, modulo n. Emitters in all languages compute the same; test vectors are
// in testdata/shards.json. If n is below 2, the shard is 0.
func ShardOf(g Group, n int) int {
	if n < 2 {
		return 0
	}
	const offset, prime = 2166136261, 16777619
	h := uint32(offset)
	for i := 0; i < len(g); i++ {
		h ^= uint32(g[i])
		h *= prime
	}
	return int(h % uint32(n))
}

// Digest returns a group's digest: its 64-bit FNV-1a hash with a final mix. The digest of a
// set of groups is the exclusive or of theirs, so that it can be updated when a group is
// added or removed.
func Digest(g Group) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for i := 0; i < len(g); i++ {
		h ^= uint64(g[i])
		h *= prime
	}
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	return h
}
