package app

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// The same warning about single messages is logged this often in each period.
const (
	quietLines  = 5
	quietPeriod = 10 * time.Second
)

// quiet makes the logger for warnings about single questions and orders. Clients, backends
// and servers that do not answer can cause thousands of these lines a second. Of warnings and
// errors with the same message the first quietLines in each quietPeriod are written; the others
// are only counted.
func quiet(logger *zap.Logger, reg prometheus.Registerer) *zap.Logger {
	skipped := promauto.With(reg).NewCounter(prometheus.CounterOpts{
		Name: "belfry_worker_log_lines_skipped_total",
		Help: "Warnings about single questions and orders that were not logged, because the same message had been logged 5 times within 10 s.",
	})
	count := zapcore.SamplerHook(func(_ zapcore.Entry, d zapcore.SamplingDecision) {
		if d&zapcore.LogDropped != 0 {
			skipped.Inc()
		}
	})
	return logger.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return quietCore{Core: core, sampled: zapcore.NewSamplerWithOptions(core, quietPeriod, quietLines, 0, count)}
	}))
}

// quietCore limits warnings and errors, and writes all other lines.
type quietCore struct {
	zapcore.Core
	sampled zapcore.Core
}

// With implements zapcore.Core.
func (c quietCore) With(fields []zapcore.Field) zapcore.Core {
	return quietCore{Core: c.Core.With(fields), sampled: c.sampled.With(fields)}
}

// Check implements zapcore.Core.
func (c quietCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if e.Level < zapcore.WarnLevel {
		return c.Core.Check(e, ce)
	}
	return c.sampled.Check(e, ce)
}
