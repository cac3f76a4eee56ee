package logmodel

// mostFeeds cuts off schedules in which somebody asks again for ever.
const mostFeeds = 12

// stepper tries the steps that are possible in a state.
type stepper struct {
	m     *model
	s     *state // as it is
	t     state  // a copy, on which a step is done
	index int
	found func(step string, args []int, after *state)
}

func (x *stepper) try(step string, args []int, do func() bool) {
	x.index++
	switch {
	case x.m.list:
		x.found(step, args, nil)
	case x.m.only >= 0 && x.m.only != x.index:
	default:
		x.t = *x.s
		if do() {
			x.found(step, args, &x.t)
		}
	}
}

// next calls found with every step that is possible, and what comes of it.
func (m *model) next(s *state, found func(step string, args []int, after *state)) {
	for g := range s.gateways {
		if s.gateways[g].feed > mostFeeds {
			return
		}
	}
	x := &stepper{m: m, s: s, index: -1, found: found}
	x.log()
	for w := range workers {
		x.worker(w)
	}
	for g := range int(s.using) {
		x.gateway(g)
	}
	for c := range clients {
		x.client(c)
	}
	for w := range workers {
		for g := range int(s.using) {
			x.way(w, g, false)
			x.way(w, g, true)
		}
	}
}

func (x *stepper) log() {
	s, t := x.s, &x.t
	if s.budget.emit > 0 {
		for group := range groups {
			x.try("emit", []int{group}, func() bool { t.budget.emit--; return t.write(int8(group), none) })
		}
	}
	if s.budget.again > 0 {
		for at := max(s.first, s.end-lookBack); at < s.end; at++ {
			if e := s.entries[s.log[at]]; e.group >= 0 && !e.copied {
				x.try("emit again", []int{int(at)}, func() bool { t.budget.again--; return t.write(e.group, e.content) })
			}
		}
	}
	if s.budget.truncate > 0 && s.first < s.end-1 {
		x.try("truncate", nil, func() bool { t.budget.truncate--; t.first++; t.broken = true; return true })
	}
	if s.budget.cut > 0 && s.end > 0 {
		for count := int8(1); count <= min(s.end-s.first, 3); count++ {
			x.try("lose the end", []int{int(count)}, func() bool { t.budget.cut--; t.lose(count); return true })
		}
		x.try("make the log anew", nil, func() bool { t.budget.cut--; t.lose(t.end); t.first = 0; return true })
	}
}

func (x *stepper) worker(w int) {
	m, s, t := x.m, x.s, &x.t
	l := &s.workers[w]
	if s.budget.claim > 0 {
		x.try("lead", []int{w}, func() bool { t.budget.claim--; return t.lead(w) })
	}
	if !l.leading {
		return
	}
	if o := &s.workers[1-w]; o.leading && o.term > l.term {
		x.try("step down", []int{w}, func() bool { t.stepDown(w); return true })
	}
	if s.budget.workerDies > 0 {
		x.try("worker dies", []int{w}, func() bool {
			t.budget.workerDies--
			t.stepDown(w)
			for g := range int(s.using) {
				t.up[g][w] = channel{}
			}
			return true
		})
	}
	x.try("reopen", []int{w}, func() bool { return m.reopen(t, w) })
	for g := range int(s.using) {
		x.try("read", []int{w, g}, func() bool { return m.read(t, w, g) })
		if s.maySend(w, g) {
			p, y := &l.peers[g], &s.gateways[g]
			step := "send"
			if p.at == p.from && p.rev == y.applied && y.covered == p.at {
				step = "send nothing new"
			}
			x.try(step, []int{w, g}, func() bool { return t.send(w, g) })
		}
		quiet := s.down[w][g].count == 0 && s.up[g][w].count == 0
		if y := &s.gateways[g]; quiet && (y.leader < 0 || int(y.leader) != w && l.term > y.term) {
			x.try("claim to", []int{w, g}, func() bool { return t.down[w][g].push(message{kind: claim, term: l.term}) })
		}
	}
}

func (x *stepper) gateway(g int) {
	s, t := x.s, &x.t
	y := &s.gateways[g]
	if s.budget.gatewayDies > 0 {
		x.try("gateway dies", []int{g}, func() bool { t.budget.gatewayDies--; t.gatewayDies(g); return true })
	}
	if s.budget.forgetWindow > 0 && y.window < y.covered.offset {
		x.try("window forgets", []int{g}, func() bool {
			t.budget.forgetWindow--
			t.gateways[g].window, t.windows[g] = y.covered.offset, 0
			return true
		})
	}
	if y.leader >= 0 {
		if !s.workers[y.leader].leading {
			x.try("silence", []int{g}, func() bool { t.gateways[g].leader, t.gateways[g].term = none, none; return true })
		}
		x.try("tell again", []int{g}, func() bool { return t.tellAgain(g) })
	}
	if s.budget.leave > 0 {
		for group := range groups {
			member := int(s.clients[group].gateway) == g
			if y.groups[group].standing != absent && !member {
				x.try("leave", []int{g, group}, func() bool { t.budget.leave--; t.leaveGroup(g, group); return true })
			}
		}
	}
}

func (x *stepper) client(c int) {
	m, s, t := x.m, x.s, &x.t
	y := &s.clients[c]
	if y.progress == away {
		if s.budget.connect > 0 {
			for g := range int(s.using) {
				x.try("connect", []int{c, g}, func() bool { t.budget.connect--; t.connect(c, g); return true })
			}
		}
		return
	}
	x.try("answer", []int{c}, func() bool { return m.answer(t, c) })
	x.try("from window", []int{c}, func() bool { return m.fromWindow(t, c) })
	x.try("fill", []int{c}, func() bool { return m.fill(t, c) })
	x.try("filled", []int{c}, func() bool { return m.filled(t, c) })
	if s.budget.disconnect > 0 {
		x.try("disconnect", []int{c}, func() bool { t.budget.disconnect--; t.disconnect(c, false); return true })
		if y.progress == live {
			x.try("disconnect, told", []int{c}, func() bool { t.budget.disconnect--; t.disconnect(c, true); return true })
		}
	}
}

// way is what may become of what is on its way between a worker and a gateway.
func (x *stepper) way(w, g int, up bool) {
	m, s, t := x.m, x.s, &x.t
	of := func(s *state) *channel {
		if up {
			return &s.up[g][w]
		}
		return &s.down[w][g]
	}
	take := func(y message) {
		if up {
			m.workerTakes(t, w, g, y)
		} else {
			m.gatewayTakes(t, g, w, y)
		}
	}
	way, name := of(s), "down"
	if up {
		name = "up"
	}
	if way.count == 0 {
		return
	}
	args := []int{w, g, int(way.messages[0].kind)}
	x.try(name, args, func() bool { take(of(t).take(0)); return true })
	if s.budget.lose > 0 {
		x.try(name+" lost", args, func() bool { t.budget.lose--; of(t).take(0); return true })
	}
	if s.budget.refuse > 0 && !up && way.messages[way.count-1].kind == batch {
		x.try(name+" refused", args, func() bool { t.budget.refuse--; t.refuse(w, g); return true })
	}
	if s.budget.double > 0 {
		x.try(name+" twice", args, func() bool { t.budget.double--; take(of(t).messages[0]); return true })
	}
	if s.budget.overtake > 0 && way.count > 1 {
		x.try(name+" overtakes", []int{w, g, int(way.messages[1].kind)}, func() bool { t.budget.overtake--; take(of(t).take(1)); return true })
	}
}

// refuse takes the batch that was published last out of the way, and tells the leader.
func (s *state) refuse(w, g int) {
	way := &s.down[w][g]
	y := way.take(way.count - 1)
	if p := &s.workers[w].peers[g]; p.serving && p.feed == y.feed && p.incarnation == y.incarnation {
		p.stopped = true
	}
}
