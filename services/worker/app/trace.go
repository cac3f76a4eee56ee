package app

import (
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"belfry/pkg/daemon"
	"belfry/pkg/protocol"
	"belfry/pkg/tracing"
)

// openTracer returns nil if tracing is not configured.
func openTracer(c Config, id protocol.WorkerID, registry prometheus.Registerer, logger *zap.Logger) (*tracing.Tracer, error) {
	t, err := tracing.Open(tracing.Options{
		URL: c.TraceURL, Service: "belfry-worker", Instance: string(id), Version: daemon.Version,
		Logger: logger, Registerer: registry,
	})
	return t, named("BELFRY_TRACE_URL", err)
}

// routes returns the tracing function of leading. Without tracing it is nil, so that the
// call can be skipped.
func routes(t *tracing.Tracer) func(traceparent, group string, log int) (string, func()) {
	if t == nil {
		return nil
	}
	return t.Route
}
