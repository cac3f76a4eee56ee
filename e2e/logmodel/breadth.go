package logmodel

import "time"

// configuration is a budget that is searched whole.
type configuration struct {
	name        string
	budget      budget
	gateways    int8
	settleEvery uint64 // settled is one state in so many
}

const room = 6 // entries of a search

// result of a search.
type result struct {
	broken              string // the rule, and how; empty: none
	states, transitions int
	settled, depth      int
	whole               bool // nothing was left out
}

// attempt runs something in which a rule may break, and returns which.
func attempt(do func()) (text string) {
	defer func() {
		if r := recover(); r != nil {
			f, is := r.(fault)
			if !is {
				panic(r)
			}
			text = f.text
		}
	}()
	do()
	return ""
}

// breadth visits every state that can be reached, nearest first, until there is none
// left, time is over, or there are too many.
func breadth(planted plant, c configuration, limit time.Duration, most int) result {
	m := &model{planted: planted, only: none}
	end := time.Now().Add(limit)
	first := begin(c.budget, room, c.gateways)
	seen := map[key]struct{}{canonical(first): {}}
	r := result{}
	for level := []state{*first}; len(level) > 0; r.depth++ {
		var after []state
		for i := range level {
			r.broken = attempt(func() {
				m.next(&level[i], func(_ string, _ []int, t *state) {
					r.transitions++
					k := canonical(t)
					if _, known := seen[k]; known {
						return
					}
					seen[k] = struct{}{}
					if k[0]%c.settleEvery == 0 {
						r.settled++
						m.settle(t)
					}
					after = append(after, *t)
				})
			})
			r.states = len(seen)
			if r.broken != "" || i%1024 == 0 && (r.states > most || time.Now().After(end)) {
				return r
			}
		}
		level = after
	}
	r.whole = true
	return r
}
