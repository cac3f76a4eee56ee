package follow

// Withdraw takes back what the connection asks for, if it was not answered: its groups
// stay as they are, and no answer comes.
func (g *Gateway) Withdraw(id ConnID) {
	c := g.conns[id]
	c.queued = nil
	g.withdraw(c)
}
