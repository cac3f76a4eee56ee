package router

import (
	"encoding/json"
	"unicode/utf8"

	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

// Reason says why a message was parked in belfry.dead. The set is closed: it
// labels a metric.
type Reason string

// The reasons.
const (
	ReasonEmpty   Reason = "empty payload"
	ReasonTooBig  Reason = "payload over 1 MiB"
	ReasonUTF8    Reason = "payload is not valid UTF-8"
	ReasonJSON    Reason = "payload is not JSON"
	ReasonGroup   Reason = "group out of bounds"
	ReasonShard   Reason = "group belongs to another shard"
	ReasonCopies  Reason = "header CC: an event has one group, emit once for each"
	ReasonUnknown Reason = "unknown control message"
	ReasonForged  Reason = "control message of a user who may not send it"
	// ReasonForgedEmit is of what came around the exchanges of emits, or by a gateway.
	ReasonForgedEmit Reason = "emit by a gateway, or not through an exchange of emits"
	ReasonControl    Reason = "control message cannot be read"
	ReasonPanic      Reason = "the worker failed on it"
)

// Reasons lists them all.
func Reasons() []Reason {
	return []Reason{
		ReasonEmpty, ReasonTooBig, ReasonUTF8, ReasonJSON, ReasonGroup,
		ReasonShard, ReasonCopies, ReasonUnknown, ReasonForged, ReasonForgedEmit, ReasonControl, ReasonPanic,
	}
}

// Headers of a parked message: the Reason, and where it was published.
const (
	HeaderReason = "reason"
	HeaderOrigin = "origin"
)

// keptBody bounds what is parked of a body, in bytes.
const keptBody = 4 << 10

// park publishes an entry to the dead queue (R9); it is acked once that is
// confirmed or has failed.
func (c *Core) park(tag uint64, reason Reason) {
	e := c.ledger.at(tag)
	e.pending++
	d := &e.delivery
	c.publish(flightPlain, nil, c.tags(tag), parked(d, reason))
	c.effects[len(c.effects)-1].Reason = reason
}

func parked(d *amqpbus.Delivery, reason Reason) amqpbus.Message {
	origin := d.Exchange + "/" + d.Key
	return amqpbus.Message{
		Key: amqpbus.QueueDead, Type: d.Type, ID: d.ID, Mandatory: true,
		Headers: map[string]string{HeaderReason: string(reason), HeaderOrigin: origin},
		Body:    d.Body[:min(len(d.Body), keptBody)],
	}
}

// groupOf finds an emit's group and checks it. The check is skipped for a
// group that a gateway has members of: it passed it there.
func (c *Core) groupOf(d *amqpbus.Delivery) (protocol.Group, Reason) {
	if d.Copies {
		return "", ReasonCopies
	}
	name := d.Key
	if d.Exchange == amqpbus.EmitShards(c.o.Shards) {
		name = d.Headers[amqpbus.HeaderGroup]
	}
	if c.table.Knows(protocol.Group(name)) {
		return protocol.Group(name), ""
	}
	group, err := protocol.ParseGroup(name)
	if err != nil {
		return "", ReasonGroup
	}
	if protocol.ShardOf(group, c.o.Shards) != c.o.Shard {
		return "", ReasonShard
	}
	return group, ""
}

// checkPayload returns why a payload is poison, or nothing.
func checkPayload(body []byte) Reason {
	switch {
	case len(body) == 0:
		return ReasonEmpty
	case len(body) > protocol.MaxPayload:
		return ReasonTooBig
	case !utf8.Valid(body):
		return ReasonUTF8
	case !json.Valid(body):
		return ReasonJSON
	}
	return ""
}
