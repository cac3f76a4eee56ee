package router

import (
	"belfry/pkg/amqpbus"
	"belfry/pkg/protocol"
)

// Trace begins the span of an emit that came with a traceparent. It returns the
// traceparent that travels on to the gateways, and what ends the span, nil when
// there is none. It must not block.
type Trace func(traceparent, group string, shard int) (onward string, end func())

// maxTrace bounds a traceparent in bytes. Its version 00 has 55, and later ones
// may have more (W3C Trace Context 3.2.4); what is longer is not passed on.
const maxTrace = 128

// follow notes what of an emit's trace travels on. The span ends with the ack;
// an emit that is never acked here is routed, and traced, by another reign.
func (c *Core) follow(e *entry, group protocol.Group) {
	text := e.delivery.Headers[amqpbus.HeaderTrace]
	if text == "" || len(text) > maxTrace || e.trace != "" {
		return
	}
	e.trace = text
	if c.o.Trace != nil {
		e.trace, e.routed = c.o.Trace(text, string(group), c.o.Shard)
	}
}
