package amqpbus

import "strconv"

// maxDeliveries is how often a quorum queue hands one message over before it drops
// it. RabbitMQ 4 would do so after 20 times, 3.10 at once when the limit is -1: a
// message that stands for something, as a baton does, needs a number that is never
// reached.
const maxDeliveries = 1_000_000

// LogIn is the key, on EmitLogs, of the log of what was emitted without a shard.
const LogIn = "in"

// EmitLogs is the direct exchange for our own emitters with n shards. Its routing
// key is LogKey.
func EmitLogs(n int) string { return "belfry.emit.v2.n" + strconv.Itoa(n) }

// Logs is how many logs an installation with n shards has: one for each shard, and
// with more than one shard another, of number n, for what was emitted without one.
func Logs(n int) int {
	if n == 1 {
		return 1
	}
	return n + 1
}

// LogKey is a log's routing key on EmitLogs.
func LogKey(n, log int) string {
	if log == n {
		return LogIn
	}
	return strconv.Itoa(log)
}

// LogQueue is the stream of one of the logs of n shards.
func LogQueue(n, log int) string {
	return "belfry.log.v2.n" + strconv.Itoa(n) + "." + LogKey(n, log)
}

// LeadQueue is the queue of a log's baton. Its consumer that holds the newest
// message leads the log for as long as the channel lives on which it came: Close
// hands over, and what ends the consumer ends the leading.
func LeadQueue(n, log int) string {
	return "belfry.lead.v2.n" + strconv.Itoa(n) + "." + LogKey(n, log)
}

// LogTopology is the logs of an installation, and the queues of their batons.
func LogTopology(l Layout) Topology {
	emits := EmitLogs(l.Shards)
	t := Topology{Exchanges: []Exchange{{ExchangeEmit, "topic"}, {emits, "direct"}}}
	for log := range Logs(l.Shards) {
		stream := Queue{Name: LogQueue(l.Shards, log), Stream: true}
		lead := Queue{
			Name: LeadQueue(l.Shards, log), Quorum: l.Quorum, SingleActiveConsumer: true, MaxLength: 1, DropHead: true,
		}
		if l.Quorum {
			lead.Deliveries = maxDeliveries
		}
		t.Queues = append(t.Queues, stream, lead)
		t.Bindings = append(t.Bindings, Binding{emits, stream.Name, LogKey(l.Shards, log)})
	}
	foreign := LogQueue(l.Shards, Logs(l.Shards)-1)
	t.Bindings = append(t.Bindings, Binding{ExchangeEmit, foreign, "#"})
	return t
}
