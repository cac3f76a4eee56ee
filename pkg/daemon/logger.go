package daemon

import (
	"fmt"
	"os"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"belfry/pkg/settings"
)

// NewLogger returns a logger to standard error. Level is debug, info, warn or
// error; format is json or console. It first warns of variables that an
// orchestrator put into the environment under our prefix.
func NewLogger(level, format string) (*zap.Logger, error) {
	threshold, err := zapcore.ParseLevel(level)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	encoding := zap.NewProductionEncoderConfig()
	encoding.TimeKey = "time"
	encoding.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	encoding.EncodeDuration = zapcore.StringDurationEncoder
	var encoder zapcore.Encoder
	switch format {
	case "json":
		encoder = zapcore.NewJSONEncoder(encoding)
	case "console":
		encoder = zapcore.NewConsoleEncoder(encoding)
	default:
		return nil, fmt.Errorf("open the log: the format is %q, not json or console", format)
	}
	logger := zap.New(zapcore.NewCore(encoder, zapcore.Lock(os.Stderr), threshold))
	if names := settings.Injected(); len(names) > 0 {
		logger.Warn("variables that look injected by an orchestrator have no effect", zap.Strings("names", names))
	}
	return logger, nil
}
