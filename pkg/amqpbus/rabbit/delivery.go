package rabbit

import (
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"belfry/pkg/amqpbus"
)

// delivery translates a delivery of the library. It leaves out headers that are not text, such
// as nested tables, which any backend may send and Belfry does not use.
func delivery(d amqp.Delivery) amqpbus.Delivery {
	out := amqpbus.Delivery{
		Message: amqpbus.Message{
			Exchange: d.Exchange, Key: d.RoutingKey, Type: d.Type, ID: d.MessageId, ReplyTo: d.ReplyTo,
			Persistent: d.DeliveryMode == amqp.Persistent, Body: d.Body,
		},
		UserID: d.UserId, Redelivered: d.Redelivered, Tag: d.DeliveryTag, Dead: death(d.Headers),
	}
	if !d.Timestamp.IsZero() {
		out.Timestamp = d.Timestamp.Unix()
	}
	_, out.Copies = d.Headers["CC"]
	if ms, err := strconv.ParseInt(d.Expiration, 10, 64); err == nil && ms > 0 {
		out.Expiration = time.Duration(ms) * time.Millisecond
	}
	for k, v := range d.Headers {
		text, ok := v.(string)
		if !ok {
			continue
		}
		if out.Headers == nil {
			out.Headers = map[string]string{}
		}
		out.Headers[k] = text
	}
	return out
}

// death decodes the first entry of x-death, RabbitMQ's history of dead-lettering. The broker
// puts the newest entry first, before those that a publisher sent.
func death(h amqp.Table) *amqpbus.Death {
	history, _ := h["x-death"].([]any)
	if len(history) == 0 {
		return nil
	}
	entry, _ := history[0].(amqp.Table)
	text := func(k string) string { s, _ := entry[k].(string); return s }
	d := &amqpbus.Death{Reason: text("reason"), Queue: text("queue"), Exchange: text("exchange")}
	if keys, _ := entry["routing-keys"].([]any); len(keys) > 0 {
		d.Key, _ = keys[0].(string)
		d.Times, _ = entry["count"].(int64)
	}
	return d
}
