package sim

import (
	"time"

	"belfry/pkg/protocol"
	"belfry/services/gateway/relay/interest"
)

// joinWithin bounds a browser's wait for its groups.
const joinWithin = 5 * time.Second

// join is a browser that waits for its groups.
type join struct {
	who     *browser
	want    []protocol.Group
	fresh   []protocol.Group // references that were taken
	tickets []ticket
	since   time.Duration
}

type ticket struct {
	shard int
	of    interest.Ticket
}

// settled takes tickets whose groups are routed now.
func (g *gateway) settled(shard int, tickets []interest.Ticket) {
	for _, t := range tickets {
		for _, j := range g.joins {
			j.tickets = remove(j.tickets, ticket{shard, t})
		}
	}
	g.answer()
}

// answer takes effect for every browser whose groups are all routed.
func (g *gateway) answer() {
	waiting := g.joins[:0:0]
	for _, j := range g.joins {
		if len(j.tickets) > 0 && !g.w.broken.answerEarly {
			waiting = append(waiting, j)
			continue
		}
		g.leave(j.who.become(j.want))
	}
	g.joins = waiting
}

// giveUp answers the browsers that have waited for too long: their set stays.
func (g *gateway) giveUp() {
	waiting := g.joins[:0:0]
	for _, j := range g.joins {
		if g.w.now-j.since < joinWithin {
			waiting = append(waiting, j)
			continue
		}
		g.w.account.unavailable++
		g.w.tell("%s: the groups of %s are not routed in time", g.id, j.who.name)
		g.abandon(j)
		j.who.asking = false
	}
	g.joins = waiting
}

func (g *gateway) abandon(j *join) {
	for _, t := range j.tickets {
		g.cores[t.shard].Abandon(t.of)
	}
	g.leave(j.fresh)
}

// subscribe is a browser's message: its groups are to be these.
func (g *gateway) subscribe(b *browser, want []protocol.Group) {
	j := &join{who: b, want: want, since: g.w.now}
	parts := make([][]protocol.Group, len(g.cores))
	for _, group := range want {
		if b.groups[group] == nil {
			j.fresh = append(j.fresh, group)
			parts[g.shardOf(group)] = append(parts[g.shardOf(group)], group)
		}
	}
	for shard, part := range parts {
		if len(part) == 0 {
			continue
		}
		if t, active := g.cores[shard].Join(part); !active {
			j.tickets = append(j.tickets, ticket{shard, t})
		}
	}
	g.joins = append(g.joins, j)
	g.answer()
}

// leave gives references back.
func (g *gateway) leave(groups []protocol.Group) {
	for _, group := range groups {
		g.cores[g.shardOf(group)].Leave(g.time(), []protocol.Group{group})
	}
}

// closed forgets a browser.
func (g *gateway) closed(b *browser) {
	waiting := g.joins[:0:0]
	for _, j := range g.joins {
		if j.who == b {
			g.abandon(j)
		} else {
			waiting = append(waiting, j)
		}
	}
	g.joins = waiting
	g.leave(b.list)
}
