package app

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"belfry/pkg/daemon"
	"belfry/pkg/protocol"
	"belfry/pkg/tracing"
	"belfry/services/gateway/internal/hub"
	"belfry/services/gateway/relay"
)

// openTracer returns nil if tracing is not configured.
func openTracer(c Config, id protocol.GatewayID, registry prometheus.Registerer, logger *zap.Logger) (*tracing.Tracer, error) {
	t, err := tracing.Open(tracing.Options{
		URL: c.TraceURL, Service: "belfry-gateway", Instance: string(id), Version: daemon.Version,
		Logger: logger, Registerer: registry,
	})
	if err != nil {
		return nil, fmt.Errorf("BELFRY_TRACE_URL: %w", err)
	}
	return t, nil
}

// sinkOf returns the hub itself if there is no tracing.
func sinkOf(h *hub.Hub, t *tracing.Tracer) relay.Sink {
	if t == nil {
		return h
	}
	return &tracedHub{Hub: h, tracer: t}
}

// tracedHub is a relay.Sink that makes spans for the events that it delivers to the hub.
type tracedHub struct {
	*hub.Hub
	tracer *tracing.Tracer
	spans  []*tracing.Span // the spans of one Deliver; kept to reuse its memory
}

// Deliver implements relay.Sink. An event without members on this gateway, as in a flood, has
// no span.
func (h *tracedHub) Deliver(events []protocol.Event) {
	h.spans = h.spans[:0]
	for i := range events {
		if events[i].Trace == "" {
			continue
		}
		if members := h.Members(events[i].Group); members > 0 {
			h.spans = append(h.spans, h.tracer.Write(events[i].Trace, string(events[i].Group), members))
		}
	}
	h.Hub.Deliver(events)
	for i, span := range h.spans {
		span.End(nil)
		h.spans[i] = nil
	}
}
