package daemon

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"belfry/pkg/settings"
)

const (
	// maxWaiting is the largest number of bytes of log lines that wait to be written.
	maxWaiting = 1 << 20
	// flushWithin is how long to wait for the log's reader when a program ends.
	flushWithin = time.Second
)

// Log is a program's log on standard error. Writing to it never waits for the reader, and the
// program continues if the reader goes away: lines that cannot be written are dropped, counted
// (see Dropped), and reported when a line can be written again.
type Log struct {
	Logger *zap.Logger

	lines   *lineWriter
	dropped *prometheus.CounterVec
}

// OpenLog opens the log. Level is debug, info, warn or error; format is json or
// console. It first logs a warning about variables that an orchestrator has set with Belfry's
// prefix. After OpenLog, writing to a broken pipe fails instead of ending the process. Close the
// log before the process ends.
func OpenLog(level, format string) (*Log, error) {
	// Without this a write to a closed pipe on standard output or error kills the
	// process (os/signal, SIGPIPE). Notify, and not Ignore, which child processes
	// would inherit.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	l, err := newLog(os.Stderr, maxWaiting, level, format)
	if err != nil {
		return nil, err
	}
	if names := settings.Injected(); len(names) > 0 {
		l.Logger.Warn("ignoring variables that an orchestrator seems to have set for a service called belfry", zap.Strings("names", names))
	}
	return l, nil
}

func newLog(out io.Writer, most int, level, format string) (*Log, error) {
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
	l := &Log{dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "belfry_log_lines_dropped_total",
		Help: "Log lines dropped because nobody read standard error, or because it could not be written.",
	}, []string{"reason"})}
	l.lines = newLineWriter(out, most, l.dropped, func(lost uint64) []byte { return lostNotice(encoder, lost) })
	l.Logger = zap.New(zapcore.NewCore(encoder, l.lines, threshold))
	return l, nil
}

// lostNotice returns the line that says how many lines were dropped before it.
func lostNotice(encoder zapcore.Encoder, lost uint64) []byte {
	entry := zapcore.Entry{Level: zapcore.WarnLevel, Time: time.Now(), Message: "log lines were dropped before this one: the reader of standard error stood still, was away, or its disk was full"}
	line, err := encoder.EncodeEntry(entry, []zapcore.Field{zap.Uint64("lines", lost)})
	if err != nil {
		return nil // only for fields that cannot be encoded
	}
	defer line.Free()
	return append([]byte(nil), line.Bytes()...)
}

// Dropped returns the metric of dropped lines, for a program's registry.
func (l *Log) Dropped() prometheus.Collector { return l.dropped }

// Close writes the waiting lines, within a second at most, and closes the log.
func (l *Log) Close() { l.lines.close(flushWithin) }
