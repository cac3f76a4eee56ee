package membus

import (
	"context"
	"fmt"

	"belfry/pkg/amqpbus"
)

// OpenLogReader implements amqpbus.Bus. The twin keeps no logs yet.
func (b *Bus) OpenLogReader(_ context.Context, o amqpbus.LogReaderOptions) (amqpbus.LogReader, error) {
	return nil, fmt.Errorf("read log %s: %w", o.Log, amqpbus.ErrLogGone)
}
