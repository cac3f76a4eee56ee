package leading

import (
	"belfry/pkg/amqpbus"
	"belfry/pkg/eventlog"
	"belfry/pkg/protocol"
)

// maxTrace bounds a traceparent in bytes. Its version 00 has 55, and later ones
// may have more (W3C Trace Context 3.2.4); what is longer is not passed on.
const maxTrace = 128

// Reasons why an entry is no event, beside those of the rules.
const (
	reasonShard  = "group belongs to another shard"
	reasonForged = "emit by a gateway, or not through an exchange of emits"
)

// refuse says why an entry is no event, by who published it and where; empty: nothing
// speaks against it. It looks at the entry alone, so every reader says the same.
func (l *log) refuse(e *amqpbus.LogEntry, out *eventlog.Entry) string {
	shards := l.of.o.Layout.Shards
	switch {
	case e.Exchange != amqpbus.ExchangeEmit && e.Exchange != amqpbus.EmitLogs(shards),
		l.of.o.Gateways.Has(e.UserID) && !l.of.o.Workers.Has(e.UserID):
		return reasonForged
	case out.Group != "" && l.number < shards && protocol.ShardOf(protocol.Group(out.Group), shards) != l.number:
		return reasonShard
	}
	return ""
}
