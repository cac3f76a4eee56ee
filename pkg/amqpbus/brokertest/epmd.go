package brokertest

import (
	"context"
	"net"
	"strconv"
	"time"
)

// endPortMapper ends the node's own epmd, a daemon that outlives the node that
// started it. It refuses while it has not yet seen the node end, so it is asked
// for up to three seconds.
func (n *Node) endPortMapper() {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for range 30 {
		c, err := net.DialTimeout("tcp", "127.0.0.1:"+strconv.Itoa(n.epmdPort), time.Second)
		if err != nil {
			return // nobody listens: it has ended, or was never started
		}
		_ = c.Close()
		// It talks to its own daemon and ends at once.
		_ = n.command(context.Background(), "epmd", "-kill").Run()
		<-tick.C
	}
}
