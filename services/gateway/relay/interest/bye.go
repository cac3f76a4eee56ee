package interest

import "belfry/pkg/protocol"

// byeState is how far the withdrawal of everything is.
type byeState struct{ wanted, sent, done bool }

func (b *byeState) lost() { b.sent = false }

// settled: a refused bye is not repeated, because the queue is full and the
// workers find out by themselves.
func (b *byeState) settled(error) { b.done = true }

// Bye says that the gateway is stopping: nothing but a Bye will be published
// any more, once on each link until its outcome is known.
func (c *Core) Bye() { c.bye.wanted = true }

// Gone reports that the Bye's outcome is known.
func (c *Core) Gone() bool { return c.bye.done }

func (c *Core) sayBye() {
	if c.bye.sent || c.bye.done {
		return
	}
	c.bye.sent = true
	c.emit(KindBye, c.revision, protocol.TypeBye, protocol.Encode(protocol.Bye{Stamp: c.stamp(c.revision)}))
}
