package leading

import (
	"fmt"

	"belfry/pkg/amqpbus"
	"belfry/services/worker/lead"
)

// Headers of a parked entry: why, where it was published, and its place as
// `<log>.<offset>.<index>`: who leads next may park it again.
const (
	HeaderReason = "reason"
	HeaderOrigin = "origin"
	HeaderPlace  = "place"
)

// keptBody bounds what is parked of a body, in bytes.
const keptBody = 4 << 10

// parked is a message to belfry.dead.
func (l *log) parked(p *lead.Park) amqpbus.Message {
	e := &p.Entry
	return amqpbus.Message{
		Key: amqpbus.QueueDead, Type: e.Type, ID: e.ID,
		Headers: map[string]string{
			HeaderReason: p.Reason, HeaderOrigin: e.Exchange + "/" + e.Key, HeaderPlace: fmt.Sprintf("%d.%d.%d", l.number, e.Offset, p.Index),
		},
		Body: e.Body[:min(len(e.Body), keptBody)],
	}
}
