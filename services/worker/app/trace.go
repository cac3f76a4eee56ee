package app

import (
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"belfry/pkg/daemon"
	"belfry/pkg/protocol"
	"belfry/pkg/tracing"
	"belfry/services/worker/router"
)

// openTracer is nil where no tracing is configured.
func openTracer(c Config, id protocol.WorkerID, registry prometheus.Registerer, logger *zap.Logger) (*tracing.Tracer, error) {
	t, err := tracing.Open(tracing.Options{
		URL: c.TraceURL, Service: "belfry-worker", Instance: string(id), Version: daemon.Version,
		Logger: logger, Registerer: registry,
	})
	return t, named("BELFRY_TRACE_URL", err)
}

// routes is what the router is told: nil, and not a function that does nothing,
// when there is no tracing.
func routes(t *tracing.Tracer) router.Trace {
	if t == nil {
		return nil
	}
	return t.Route
}
