package amqpbus

import "strconv"

// Older are the queues of an installation with n shards as versions before the logs
// declared them, the mark of its layout first. They take what is emitted, too, and
// refuse it when they are full: belfry reshard deletes them.
func Older(n int) []string {
	names := []string{"belfry.layout.v1", "belfry.expired"}
	for shard := range n {
		names = append(names, "belfry.shard.v1.n"+strconv.Itoa(n)+"."+strconv.Itoa(shard))
	}
	if n > 1 {
		names = append(names, "belfry.emit.in.v1")
	}
	return names
}
