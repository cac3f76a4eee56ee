package protocol

// MaxShards bounds the number of shards of the emit queue.
const MaxShards = 256

// ShardOf says which of n shards a group belongs to: FNV-1a, 32 bit, of the
// group's UTF-8 bytes, modulo n. Every emitter in every language computes the
// same; golden vectors are in testdata/shards.json. n below 2 gives shard 0.
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

// Digest is a group's share in the digest of a set of groups: the digest of a
// set is the exclusive or of its members' digests, so that it can be kept up
// to date while members come and go. FNV-1a, 64 bit, with a final mix.
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
