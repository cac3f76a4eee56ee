package app

import (
	"testing"

	"go.uber.org/zap"

	"belfry/services/gateway/internal/hub"
)

// Without tracing nothing stands between the broker's wires and the hub.
func TestWithoutTracingTheHubIsTheSink(t *testing.T) {
	tracer, err := openTracer(Config{}, "gateway.test", nil, zap.NewNop())
	if err != nil || tracer != nil {
		t.Fatal(tracer, err)
	}
	h := hub.New(hub.Options{Logger: zap.NewNop()})
	if sinkOf(h, tracer) != any(h) {
		t.Errorf("the sink is %T", sinkOf(h, tracer))
	}
}
