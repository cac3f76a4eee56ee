package sim

import "belfry/pkg/amqpbus"

// channel is a publishing channel of a process: messages go out, verdicts come
// back, each in order.
type channel struct {
	w         *world
	user      string
	out, back *wire
	lost      func() // told to the process once, when it notices the end
	gone      bool
}

func (w *world) channel(of *process, user string, lost func()) *channel {
	c := &channel{w: w, user: user, out: w.wire(nil), back: w.wire(of), lost: lost}
	c.out.pub = w.broker
	return c
}

// publish sends a message; settled is called with the verdict, unless the
// channel ends before.
func (c *channel) publish(m amqpbus.Message, settled func(error)) {
	c.out.send(func() {
		err := c.w.broker.publish(m, c.user)
		c.back.send(func() { settled(err) })
	})
}

// sever ends the channel from outside. What is on its way to the broker may
// still arrive, as a ghost; the process notices late.
func (c *channel) sever(ghost bool) {
	if c.gone {
		return
	}
	c.gone = true
	if ghost {
		c.out.leak()
	} else {
		c.out.drop()
	}
	c.back.send(c.lost)
	c.back.leak()
}

// close ends the channel from the process's side: what was published before
// arrives, verdicts are not waited for.
func (c *channel) close() {
	c.gone = true
	c.out.leak()
	c.back.drop()
}
