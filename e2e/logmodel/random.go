package logmodel

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// A random schedule: steps and entries.
const (
	mostSteps  = 110
	randomRoom = 10
)

// choice is a step that may be possible.
type choice struct {
	step   string
	args   [3]int
	weight int
}

// weight makes what a healthy system does likelier than faults, but for those that a
// drill is about.
func (d *drill) weight(step string) int {
	if slices.Contains(d.likely, step) {
		return 30
	}
	switch step {
	case "down", "up", "read", "answer", "fill", "filled", "from window", "reopen", "connect":
		return 12
	case "send":
		return 8
	case "disconnect", "disconnect, told":
		return 5
	case "emit":
		return 4
	case "tell again", "claim to", "truncate", "down overtakes", "down refused":
		return 3
	}
	return 1
}

// schedule plays one random schedule and returns what it broke, and its steps.
func (m *model) schedule(seed uint64) (text string, steps []string) {
	r := rand.New(rand.NewPCG(seed, 7))
	d := drawDrill(r)
	s := begin(d.budget, randomRoom, gateways)
	for range mostSteps {
		step, after, text := m.draw(s, d, r)
		if step != "" {
			steps = append(steps, step)
		}
		if text != "" || after == nil {
			return text, steps
		}
		s = after
		if r.IntN(16) == 0 {
			if text = attempt(func() { m.settle(s) }); text != "" {
				return text, append(steps, "settle")
			}
		}
	}
	return attempt(func() { m.settle(s) }), append(steps, "settle")
}

// draw does one of the steps that are possible; after is nil if there is none.
func (m *model) draw(s *state, d *drill, r *rand.Rand) (step string, after *state, text string) {
	var choices []choice
	sum := 0
	m.list = true
	m.next(s, func(step string, args []int, _ *state) {
		c := choice{step: step, weight: d.weight(step)}
		copy(c.args[:], args)
		choices = append(choices, c)
		sum += c.weight
	})
	m.list = false
	for sum > 0 && after == nil && text == "" {
		at, i := r.IntN(sum), 0
		for ; at >= choices[i].weight; i++ {
			at -= choices[i].weight
		}
		c := &choices[i]
		sum -= c.weight
		c.weight = 0
		m.only = i
		text = attempt(func() {
			m.next(s, func(_ string, _ []int, t *state) { u := *t; after = &u })
		})
		m.only = none
		step = fmt.Sprint(c.step, c.args)
	}
	return step, after, text
}

// drill is what may go wrong in a schedule, and what of it is likely.
type drill struct {
	budget budget
	likely []string
}

// drills are of what rare errors need.
var drills = []drill{
	{budget{emit: 5, claim: 1, connect: 4, disconnect: 2, refuse: 1, overtake: 2}, []string{"down overtakes", "down refused"}},
	{budget{emit: 3, claim: 2, workerDies: 1, connect: 4, disconnect: 1, leave: 1, lose: 2}, []string{"leave", "silence", "worker dies", "up lost"}},
	{budget{emit: 3, claim: 2, workerDies: 1, connect: 3, lose: 1}, []string{"silence", "worker dies", "up lost"}},
	{budget{emit: 3, claim: 1, connect: 3, disconnect: 1, leave: 1, double: 1, overtake: 2}, []string{"up overtakes", "up twice", "connect"}},
	{budget{emit: 4, claim: 2, connect: 4, gatewayDies: 1}, nil},
	{budget{emit: 4, claim: 2, connect: 4, disconnect: 1, double: 1, overtake: 1}, nil},
	{budget{emit: 7, claim: 1, connect: 6, disconnect: 4, forgetWindow: 1}, nil},
	{budget{emit: 6, claim: 2, connect: 6, disconnect: 3, gatewayDies: 1, truncate: 1, cut: 1}, nil},
	{budget{emit: 4, again: 1, claim: 2, connect: 4, disconnect: 2}, nil},
}

func drawDrill(r *rand.Rand) *drill {
	if r.IntN(2) == 0 {
		return &drills[r.IntN(len(drills))]
	}
	n := func(most int) int8 { return int8(r.IntN(most + 1)) }
	b := budget{
		emit: 3 + n(3), again: n(1), claim: 1 + n(2), workerDies: n(1), gatewayDies: n(1), lose: n(2), refuse: n(1),
		double: n(1), overtake: n(2), leave: n(2), connect: 2 + n(3), disconnect: n(3), forgetWindow: n(1),
	}
	if r.IntN(2) == 0 { // whose loss makes a gap honest; a copy of what is gone is none
		b.again = 0
		b.truncate, b.cut = n(2), n(1)
	}
	return &drill{budget: b}
}
