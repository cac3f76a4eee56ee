package rabbit

import (
	"context"
	"fmt"

	"belfry/pkg/amqpbus"
)

// OpenLogReader reads no logs yet.
func (b *bus) OpenLogReader(_ context.Context, o amqpbus.LogReaderOptions) (amqpbus.LogReader, error) {
	return nil, fmt.Errorf("read log %s: %w", o.Log, amqpbus.ErrLogRefused)
}
