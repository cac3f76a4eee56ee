package leading

import (
	"fmt"

	"belfry/pkg/amqpbus"
	"belfry/services/worker/lead"
)

// Headers of a parked entry: why, and where it was published.
const (
	headerReason = "reason"
	headerOrigin = "origin"
)

// keptBody bounds what is parked of a body, in bytes.
const keptBody = 4 << 10

// parked is a message to belfry.dead. Its id names the entry: who leads next may park it
// again.
func (l *log) parked(p *lead.Park) amqpbus.Message {
	e := &p.Entry
	return amqpbus.Message{
		Key: amqpbus.QueueDead, Type: e.Type, ID: fmt.Sprintf("%d.%d.%d", l.number, e.Offset, p.Index),
		Headers: map[string]string{headerReason: p.Reason, headerOrigin: e.Exchange + "/" + e.Key},
		Body:    e.Body[:min(len(e.Body), keptBody)],
	}
}
