package access

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"belfry/pkg/protocol"
	"belfry/services/worker/auth"
)

const manual = "../../../../docs/policy.md"

// block is a fenced JSON block of the manual, or a table of expected decisions.
type block struct {
	line int
	kind string // policy, question, answer, token, decisions
	text string
	rows [][]string // of a table, without its head
}

// TestManual loads every policy of docs/policy.md and tries every row of the
// table that follows it.
func TestManual(t *testing.T) {
	var current *Policy
	policies, rows := 0, 0
	for _, b := range readManual(t) {
		switch b.kind {
		case "policy":
			p, err := ParsePolicy([]byte(b.text))
			if err != nil {
				t.Fatalf("line %d: %v", b.line, err)
			}
			current = p
			policies++
		case "decisions":
			if current == nil {
				t.Fatalf("line %d: no policy comes before this table", b.line)
			}
			for i, row := range b.rows {
				want := row[3]
				if got := decision(t, current, row[0], row[1], row[2]); got != want {
					t.Errorf("line %d, row %d: %s of user %s with %s is %s, the manual says %s", b.line, i+1, row[2], row[0], row[1], got, want)
				}
				rows++
			}
		}
	}
	if policies < 4 || rows < 20 {
		t.Errorf("%d policies and %d rows were found: is the manual read as it is written?", policies, rows)
	}
}

// TestManualQuestion: the application gets the question that the manual shows, and the
// manual's answer is accepted.
func TestManualQuestion(t *testing.T) {
	blocks := readManual(t)
	text := func(kind string) string {
		i := slices.IndexFunc(blocks, func(b block) bool { return b.kind == kind })
		if i < 0 {
			t.Fatalf("the manual has no %s", kind)
		}
		return strings.TrimSpace(blocks[i].text)
	}
	var want question
	if err := json.Unmarshal([]byte(text("question")), &want); err != nil {
		t.Fatal(err)
	}
	a, _ := application(t, ApplicationOptions{}, func(w http.ResponseWriter, r *http.Request) {
		var got question
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil || fmt.Sprintf("%s", got) != fmt.Sprintf("%s", want) {
			t.Errorf("asked %s, %v; the manual says %s", got, err, want)
		}
		_, _ = w.Write([]byte(text("answer")))
	})
	said, err := a.Ask(context.Background(), auth.Identity{User: want.User}, want.Groups)
	if err != nil || !said["job_events-42"] || said["job_events-43"] {
		t.Errorf("the answer was read as %v, %v", said, err)
	}
	var claims struct {
		Groups []string `json:"groups"`
	}
	if err := json.Unmarshal([]byte(text("token")), &claims); err != nil || len(claims.Groups) != 2 {
		t.Errorf("the token's claims: %v, %v", claims, err)
	}
}

// TestManualRefusals: the templates that the manual lists as refused are refused.
func TestManualRefusals(t *testing.T) {
	whole, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	for _, template := range []string{"jobs-sum*", "{user}-x", "jobs-{users}", "jobs-{int}{user}"} {
		if !strings.Contains(string(whole), "`"+template+"`") {
			t.Errorf("the manual does not name %s", template)
		}
		if _, err := ParsePolicy(fmt.Appendf(nil, `{"rules": [{"groups": [%q], "allow": ["all"]}]}`, template)); err == nil {
			t.Errorf("template %s is accepted", template)
		}
	}
}

type recorder struct{ asked bool }

func (r *recorder) Ask(context.Context, auth.Identity, []protocol.Group) (map[protocol.Group]bool, error) {
	r.asked = true
	return nil, nil
}

func decision(t *testing.T, p *Policy, user, claims, group string) string {
	t.Helper()
	var asker recorder
	a, err := NewAuthorizer(p, &asker)
	if err != nil {
		t.Fatal(err)
	}
	id := auth.Identity{User: json.RawMessage(user), Groups: strings.Fields(claims)}
	r, err := a.Authorize(context.Background(), id, []protocol.Group{protocol.Group(group)})
	switch {
	case err != nil:
		t.Fatal(err)
	case asker.asked:
		return "asked"
	case len(r.Allowed) == 1:
		return "allowed"
	}
	return "denied"
}

func readManual(t *testing.T) []block {
	t.Helper()
	whole, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	var out []block
	var open *block
	for i, line := range strings.Split(string(whole), "\n") {
		fence, isFence := strings.CutPrefix(line, "```")
		cells := cellsOf(line)
		switch {
		case isFence && open != nil && open.kind != "decisions":
			out, open = append(out, *open), nil
		case isFence:
			open = &block{line: i + 1, kind: strings.TrimPrefix(fence, "json ")}
		case open != nil && open.kind == "decisions" && len(cells) == 4:
			if !strings.HasPrefix(cells[0], "---") {
				open.rows = append(open.rows, cells)
			}
		case open != nil && open.kind == "decisions":
			out, open = append(out, *open), nil
		case open != nil:
			open.text += line + "\n"
		case slices.Equal(cells, []string{"user", "claim", "group", "decision"}):
			open = &block{line: i + 1, kind: "decisions"}
		}
	}
	return out
}

// cellsOf returns the cells of a table row without their backquotes.
func cellsOf(line string) []string {
	if !strings.HasPrefix(line, "|") {
		return nil
	}
	cells := strings.Split(strings.Trim(line, "|"), "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(strings.ReplaceAll(cells[i], "`", ""))
	}
	return cells
}
