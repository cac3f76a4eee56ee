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
}

func (w *world) startGateway() *gateway {
	g := &gateway{process: process{w: w, name: fmt.Sprintf("gateway%d", len(w.gateways)+1)}, conns: map[follow.ConnID]*client{}}
	g.machine = follow.New(follow.Options{
		Gateway: g.name, Shards: w.o.Shards, LookBack: lookBack, WindowBytes: 40 * 160, SnapshotPart: 2, Linger: 2 * time.Second,
	})
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
		if n := w.anyWorker(); n != nil {
			w.publish(g.name, n.name, e.Fill, nil)
		}
	case follow.Deliver:
		for _, id := range g.ids() {
			if c := g.conns[id]; c.member[string(e.Event.Group)] && !c.held[e.Log] {
				c.receive(e.Log, e.Event)
			}
		}
	case follow.DeliverTo:
		g.conns[e.Conn].receive(e.Log, e.Event)
	case follow.Answer:
		g.conns[e.Conn].answered(g, e)
	case follow.Unavailable:
		g.conns[e.Conn].unavailable()
	case follow.Hold:
		g.conns[e.Conn].held[e.Log] = true
	case follow.Release:
		delete(g.conns[e.Conn].held, e.Log)
	case follow.Gap:
		g.conns[e.Conn].gap(e)
	case follow.CloseAll:
		for _, id := range g.ids() {
			g.conns[id].leave(false)
		}
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
