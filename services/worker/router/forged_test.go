package router

import (
	"testing"

	"belfry/pkg/amqpbus"
)

// A gateway's credential may write to the queues that it declares and bind them to any
// exchange that it reads. None of that makes an emit.
func TestEmitsThatCameAnotherWay(t *testing.T) {
	for name, forge := range map[string]func(*amqpbus.Delivery){
		"to the queue itself":               func(d *amqpbus.Delivery) { d.Exchange, d.Key = "", amqpbus.ShardQueue(1, 0) },
		"through the exchange of questions": func(d *amqpbus.Delivery) { d.Exchange = amqpbus.ExchangeQuestions },
		"through one of the gateway's own":  func(d *amqpbus.Delivery) { d.Exchange = "belfry.mine" },
		"by a gateway's user":               func(d *amqpbus.Delivery) { d.UserID = gatewayUser },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			d := emitOf("a-1", "forged", `{"forged": true}`)
			forge(&d)
			if dead := healthy(t, r, d); dead.reason != ReasonForgedEmit || dead.ID != "forged" {
				t.Errorf("parked %q for %q", dead.ID, dead.reason)
			}
		})
	}
}
