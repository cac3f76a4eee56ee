package follow

// Silent counts the logs from which nothing has come for so long that the connections
// were closed: who subscribes now waits in vain.
func (g *Gateway) Silent() int {
	n := 0
	for _, l := range g.logs {
		if l.noRoute >= routeLost {
			n++
		}
	}
	return n
}
