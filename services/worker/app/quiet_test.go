package app

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// TestQuietLogs: one kind of line does not fill the log, and hides no other.
func TestQuietLogs(t *testing.T) {
	core, lines := observer.New(zap.DebugLevel)
	registry := prometheus.NewRegistry()
	logger := quiet(zap.New(core), registry).With(zap.String("worker", "w"))
	for range 1000 {
		logger.Warn("question not decided")
		logger.Error("panic")
		logger.Debug("answer not delivered")
	}
	logger.Warn("another message")
	for message, want := range map[string]int{"question not decided": quietLines, "panic": quietLines, "answer not delivered": 1000, "another message": 1} {
		if n := lines.FilterMessage(message).FilterField(zap.String("worker", "w")).Len(); n != want {
			t.Errorf("%q: %d lines, want %d", message, n, want)
		}
	}
	if err := testutil.GatherAndCompare(registry, strings.NewReader(`# HELP belfry_worker_log_lines_skipped_total Warnings about single questions and orders that were not logged, because the same message had been logged 5 times within 10 s.
# TYPE belfry_worker_log_lines_skipped_total counter
belfry_worker_log_lines_skipped_total 1990
`)); err != nil {
		t.Error(err)
	}
}
