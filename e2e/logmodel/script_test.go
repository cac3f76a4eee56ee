package logmodel

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Errors that random schedules seldom find are found by a schedule step by step, which
// breaks nothing without them. A step is named with its numbers: of the worker, the
// gateway and the kind of message, or of a client or group and a gateway.

// Gateway 0 covers a log that worker 0 leads.
var covered = []string{"lead[0]", "down[0 0 1]", "up[0 0 4]", "up[0 0 5]", "send[0 0]", "down[0 0 2]"}

// Client 1 is live at it.
var one = slices.Concat(covered, []string{"connect[1 0]", "up[0 0 6]", "send[0 0]", "down[0 0 2]", "answer[1]"})

// Worker 1 leads, client 0 comes; worker 1 dies, and worker 0, which still believes that it
// leads, is followed again: it has the table of before. The snapshot for it is lost.
var tableOfBefore = slices.Concat(one, []string{
	"lead[1]", "down[1 0 1]", "up[1 0 4]", "up[1 0 5]", "connect[0 0]", "up[1 0 6]", "send[1 0]", "down[1 0 2]", "answer[0]",
	"worker dies[1]", "silence[0]", "claim to[0 0]", "down[0 0 1]", "up[0 0 4]", "up lost[0 0 5]",
})

type script struct {
	name    string
	planted plant
	budget  budget
	steps   []string
}

var scripts = []script{
	{"a batch of before a join is overtaken by one of after it", olderRevision,
		budget{emit: 3, claim: 1, connect: 2, refuse: 1, overtake: 1},
		slices.Concat(one, []string{
			"emit[1]", "emit[0]", "emit[1]", "read[0 0]", "read[0 0]", "send[0 0]", "read[0 0]", "send[0 0]",
			"down refused[0 0 2]", "tell again[0]", "up[0 0 7]",
			"connect[0 0]", "up[0 0 6]", "read[0 0]", "send[0 0]", "down overtakes[0 0 2]", "answer[0]", "down[0 0 2]",
		})},
	{"a leader has the table of before", olderRevision,
		budget{emit: 3, claim: 2, connect: 2, workerDies: 1, lose: 1},
		slices.Concat(tableOfBefore, []string{"emit[0]", "read[0 0]", "read[0 0]", "send[0 0]", "down[0 0 2]"})},
	{"a change builds on a table that its leader does not have", noBase,
		budget{emit: 3, claim: 2, connect: 2, workerDies: 1, lose: 1, disconnect: 1, leave: 1},
		slices.Concat(tableOfBefore, []string{
			"disconnect[1]", "leave[0 1]", "up[0 0 6]", "emit[0]", "read[0 0]", "read[0 0]", "send[0 0]", "down[0 0 2]",
		})},
	{"a client comes back while a batch is in hand that its group is not in", noCut,
		budget{emit: 2, claim: 1, connect: 2, disconnect: 1, leave: 1},
		slices.Concat(covered, []string{
			"connect[0 0]", "up[0 0 6]", "send[0 0]", "down[0 0 2]", "answer[0]",
			"emit[0]", "read[0 0]", "send[0 0]", "down[0 0 2]", "disconnect[0]",
			"leave[0 0]", "up[0 0 6]", "send[0 0]", "down[0 0 2]",
			"emit[0]", "read[0 0]", "connect[0 0]", "up[0 0 6]", "down[0 0 2]", "send[0 0]", "down[0 0 2]", "answer[0]",
		})},
	{"a leader stood farther on than its gateway when the log lost its end", anyReset,
		budget{emit: 1, claim: 1, connect: 1, lose: 1, cut: 1},
		slices.Concat(one, []string{"emit[1]", "read[0 0]", "send[0 0]", "down lost[0 0 2]", "lose the end[1]", "reopen[0]", "down[0 0 3]"})},
	{"a gateway begins at the end, behind an event that is emitted again", noLookAtEnd,
		budget{emit: 1, again: 1, claim: 1, connect: 1},
		[]string{
			"lead[0]", "down[0 1 1]", "up[0 1 4]", "up[0 1 5]", "emit[1]", "read[0 1]",
			"down[0 0 1]", "up[0 0 4]", "up[0 0 5]", "send[0 0]", "down[0 0 2]",
			"connect[1 0]", "up[0 0 6]", "send[0 0]", "down[0 0 2]", "answer[1]",
			"emit again[1]", "read[0 0]", "send[0 0]", "down[0 0 2]",
		}},
	{"a client comes to a gateway that is behind its last one", aheadNotAwaited,
		budget{emit: 1, claim: 1, connect: 2, disconnect: 1},
		slices.Concat(covered, []string{
			"down[0 1 1]", "up[0 1 4]", "up[0 1 5]", "send[0 1]", "down[0 1 2]",
			"connect[0 1]", "up[0 1 6]", "send[0 1]", "down[0 1 2]", "answer[0]", "emit[0]", "read[0 1]", "send[0 1]", "down[0 1 2]",
			"disconnect[0]", "connect[0 0]", "up[0 0 6]", "send[0 0]", "down[0 0 2]", "answer[0]?",
			"read[0 0]", "send[0 0]", "down[0 0 2]",
		})},
	{"a batch of before a reset comes again after it", sameFeed,
		budget{emit: 3, claim: 1, connect: 1, double: 1, overtake: 1, cut: 1},
		slices.Concat(one, []string{
			"emit[1]", "emit[1]", "read[0 0]", "read[0 0]", "send[0 0]", "down twice[0 0 2]", "make the log anew[]", "reopen[0]",
			"down overtakes[0 0 3]", "down[0 0 2]", "up[0 0 4]", "emit[1]", "read[0 0]", "send[0 0]", "down[0 0 2]",
		})},
}

func TestScripts(t *testing.T) {
	for _, x := range scripts {
		t.Run(x.name, func(t *testing.T) {
			if text := x.play(nothing); text != "" {
				t.Errorf("the rules break it: %s", text)
			}
			text := x.play(x.planted)
			if text == "" {
				t.Errorf("%s: nothing breaks", names[x.planted])
			}
			t.Logf("%s: %s", names[x.planted], text)
		})
	}
}

// play does the steps and returns what they broke. A step that is not possible is
// left out where an error is planted, and is a fault without one, but for one with "?".
func (x *script) play(planted plant) string {
	m := &model{planted: planted, only: none}
	s := begin(x.budget, randomRoom, gateways)
	for _, want := range x.steps {
		want, optional := strings.CutSuffix(want, "?")
		var after *state
		text := attempt(func() {
			m.next(s, func(step string, args []int, t *state) {
				if after == nil && fmt.Sprint(step, args) == want {
					u := *t
					after = &u
				}
			})
		})
		switch {
		case text != "":
			return text
		case after != nil:
			s = after
		case planted == nothing && !optional:
			return "not possible: " + want
		}
	}
	return attempt(func() { m.settle(s) })
}
