package logsim

import (
	"fmt"
	"time"

	"belfry/pkg/eventlog"
	"belfry/services/gateway/follow"
)

// gateway drives a gateway's machine, and keeps what its hub would: who is a member
// of what, and who is held back.
type gateway struct {
	process
	machine *follow.Gateway
	conns   map[follow.ConnID]*client
	covered []eventlog.Cursor // of each log, by the last input before which it was covered
}

func (w *world) startGateway() *gateway {
	g := &gateway{process: process{w: w, name: fmt.Sprintf("gateway%d", len(w.gateways)+1)}, conns: map[follow.ConnID]*client{}}
	g.machine = follow.New(follow.Options{
		Gateway: g.name, Shards: w.o.Shards, LookBack: lookBack, MaxLag: w.o.MaxLag, WindowBytes: 40 * 160, SnapshotPart: 2, Linger: 2 * time.Second,
	})
	for range w.streams {
		g.covered = append(g.covered, eventlog.NoCursor)
	}
	w.gateways = append(w.gateways, g)
	w.queues[g.name] = &replyQueue{w: w, take: func(m any) { g.input(func() { g.machine.Take(m); g.perform() }) }}
	g.machine.Start()
	g.perform()
	g.tick()
	return g
}

func (g *gateway) tick() {
	if g.dead {
		return
	}
	g.w.after(tick, g.tick)
	if g.frozen || g.w.alarm || g.w.down {
		return
	}
	g.machine.Tick(tick)
	g.perform()
}

func (g *gateway) perform() {
	for _, e := range g.machine.Effects() {
		g.do(e)
	}
	for log := range g.covered {
		if at := g.machine.Covered(log); !at.IsNone() {
			g.covered[log] = at.Cursor
		}
	}
}

func (g *gateway) do(e follow.Effect) {
	w := g.w
	switch e := e.(type) {
	case follow.Send:
		w.say("%s sends %s %T %s", g.name, e.Worker, e.Message, brief(e.Message))
		w.publish(g.name, e.Worker, e.Message, func(taken bool) {
			if h, hello := e.Message.(eventlog.Hello); hello && taken {
				g.input(func() { g.machine.Confirmed(h.Log, h.Feed); g.perform() })
			}
		})
	case follow.SendAll:
		for _, n := range w.workers {
			w.publish(g.name, n.name, e.Message, nil)
		}
	case follow.Ask:
		w.counts.Fills++
		w.say("%s asks %+v", g.name, e.Fill)
		w.publish(g.name, anyWorker, e.Fill, nil)
	case follow.Deliver:
		for _, id := range g.ids() {
			if c := g.conns[id]; c.member[string(e.Event.Group)] && !c.held[e.Log] {
				c.receive(e.Log, e.Event)
			}
		}
	case follow.DeliverTo:
		g.with(e.Conn, func(c *client) { c.receive(e.Log, e.Event) })
	case follow.Answer:
		g.with(e.Conn, func(c *client) { c.answered(e) })
	case follow.Unavailable:
		g.with(e.Conn, (*client).unavailable)
	case follow.Hold:
		g.with(e.Conn, func(c *client) { c.held[e.Log] = true })
	case follow.Release:
		g.with(e.Conn, func(c *client) { delete(c.held, e.Log); delete(c.back, e.Log) })
	case follow.Gap:
		g.with(e.Conn, func(c *client) { c.gap(e) })
	case follow.CloseAll:
		for _, id := range g.ids() {
			g.conns[id].leave(false)
		}
	}
}

// with does something to a connection, unless an effect before has ended it.
func (g *gateway) with(id follow.ConnID, do func(*client)) {
	if c := g.conns[id]; c != nil {
		do(c)
	}
}

func (g *gateway) ids() []follow.ConnID {
	var all []follow.ConnID
	for _, c := range g.w.clients {
		if c.gateway == g {
			all = append(all, c.conn)
		}
	}
	return all
}

func (g *gateway) kill() {
	g.dead = true
	delete(g.w.queues, g.name)
	for _, id := range g.ids() {
		g.conns[id].lost()
	}
}
