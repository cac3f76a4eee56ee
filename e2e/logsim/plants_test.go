//go:build plants

package logsim

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// plant is an error that somebody might make: a change of the machines' source that
// the simulation must find.
type plant struct {
	name     string
	file     string // below the repository's top
	from, to string
}

const (
	followLog   = "services/gateway/follow/log.go"
	followConn  = "services/gateway/follow/conn.go"
	followCatch = "services/gateway/follow/catchup.go"
	leadReader  = "services/worker/lead/reader.go"
	leadOpen    = "services/worker/lead/open.go"
	leadPeer    = "services/worker/lead/peer.go"
	leadBatch   = "services/worker/lead/batch.go"
	leadCatch   = "services/worker/lead/catchup.go"
	leadFill    = "services/worker/lead/fill.go"
	leadFilling = "services/worker/lead/filling.go"
	cursors     = "pkg/eventlog/cursor.go"
)

var plants = []plant{
	{"fingerprints say nothing", cursors, "return Fingerprint(h.Sum(nil)[:4])", "return Fingerprint{}"},
	{"batches of another feed are taken", followLog, "case b.Feed != l.feed:", "case false:"},
	{"a join is active at once", followLog, "i = &interest{changed: l.rev}", "i = &interest{changed: l.rev, active: true}"},
	{"any batch makes a join active", followLog, "if g.changed <= l.applied {", "if true {"},
	{"batches of an older revision are taken", followLog, "case b.Rev < l.applied:", "case false:"},
	{"a missing batch is passed over", followLog, "if b.From.Offset > l.covered.Offset {", "if false {"},
	{"what is covered is delivered again", followLog, "if e.Offset <= l.covered.Offset {", "if false {"},
	{"a reset is no gap", followLog, "l.covered, l.owesGap, l.lag = eventlog.NoCursor, true, 0", "l.covered, l.owesGap, l.lag = eventlog.NoCursor, false, 0"},
	{"a reset of another place counts", followLog, "case r.At != l.covered:", "case false:"},
	{"an answer while nothing is covered", followConn, "if !l.covers() {", "if !l.covers() && false {"},
	{"a cursor that is ahead is not waited for", followConn, "!lost {", "!lost && false {"},
	{"whoever resumes goes on at covered", followCatch, "\tdefault:\n\t\tc.behind[l.number] = ", "\tcase true:\n\tdefault:\n\t\tc.behind[l.number] = "},
	{"an answer promises what is still on its way", followConn, "if c.behind[l.number] != nil { // what", "if false { // what"},
	{"the window serves groups that it did not have", followCatch, "b.reached.Before(i.begins()) {", "false {"},
	{"the window serves places that nobody has proven", followCatch, "return b.proven || l.window.proves(b.reached.Offset, b.fp)", "return true"},
	{"a group is whole from the middle of a pack on", followLog, "return eventlog.Cursor{Offset: i.since}.End()", "return eventlog.Position{Offset: i.since}"},
	{"catching up ends with the first filling", followCatch, "\t\tdelete(g.fills, p.ID)\n\t\tg.catchUp(c, l)", "\t\tdelete(g.fills, p.ID)\n\t\tg.goLive(c, l, false)"},
	{"live events come while catching up", followCatch, "g.add(Hold{Conn: c.id, Log: l.number})", ""},
	{"parts of a filling in any order", followCatch, "case p.From != b.reached:", "case false:"},
	{"a change is applied without its base", leadPeer, "case p.table == nil || p.rev < c.Base:", "case p.table == nil:"},
	{"an older snapshot is applied", leadPeer, "p.table != nil && s.Rev < p.rev {", "false {"},
	{"a half of a snapshot counts", leadPeer, "if len(whole.have) < whole.count {", "if false {"},
	{"a batch is of two revisions", leadBatch, "if p.carrier == nil || p.stopped ||", "if true || p.carrier == nil || p.stopped ||"},
	{"a feed without a table is carried", leadCatch, "case p.at == cursor && p.table == nil:", "case false:"},
	{"a refused batch stops nothing", leadBatch, "\tp.stopped = true\n\tm.setDown(p)", ""},
	{"a hello's cursor is believed", leadCatch, "if m.recent[i].cursor != p.at {", "if false {"},
	{"catch-up readers do not look back", leadCatch, "r := m.newReader(max(lowest.at.Offset-m.o.LookBack, 0))", "r := m.newReader(lowest.at.Offset)"},
	{"catch-up readers take up whom they have not looked back for", leadCatch, "p.at.Offset < r.first {", "false {"},
	{"main readers do not look back", leadOpen, "m.newReader(max(o.target.Offset-m.o.LookBack, 0))", "m.newReader(o.target.Offset)"},
	{"fillings do not look back", leadFill, "At: max(lowest-f.o.LookBack, 0)", "At: lowest"},
	{"fillings do not look at the fingerprint", leadFilling, "case cursor.Offset == x.after.Offset && cursor.FP != x.fp:", "case false:"},
	{"retention tells nobody", leadCatch, "m.reset(p, eventlog.CauseTruncated)", ""},
	{"a feed goes on whatever stands at its offset", leadCatch, "case p.at == cursor:\n", "case p.at.Offset == cursor.Offset:\n"},
	{"a hole in the log is passed over", leadReader, "m.reset(p, eventlog.CauseJump)", ""},
	{"a log that is shorter than before is waited for", leadOpen, "if o.target.IsNone() || o.target.Offset > cursor.Offset {", "if o.target.IsNone() {"},
	{"nobody looks at the entry at top again", leadReader, "if cursor.Offset == r.at.Offset && cursor.FP != r.at.FP {", "if false {"},
}

// harmless names the plants that need not be found, and why.
var harmless = map[string]string{
	"an older snapshot is applied": "the table's revision becomes older with it: either the gateway takes what is whole for that, or it drops it and sends its snapshot",
}

// schedulesOfAPlant are played of each form before a plant counts as not found.
const schedulesOfAPlant = 2000

var foundAt = regexp.MustCompile(`seed (\d+): (.*)`)

// earliest is the first schedule that found a plant, and what it says; 0: none did.
func earliest(out []byte) (seed int, text string) {
	for _, match := range foundAt.FindAllSubmatch(out, -1) {
		n, err := strconv.Atoi(string(match[1]))
		if err == nil && (seed == 0 || n < seed) {
			seed, text = n, string(match[2])
		}
	}
	return seed, text
}

// TestPlants builds the simulation with one error at a time. Each must be found by
// some of the schedules, which are the same every time; what is too rare for them, by
// the scripts of the machine.
func TestPlants(t *testing.T) {
	top, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range plants {
		t.Run(p.name, func(t *testing.T) {
			list := p.overlay(t, top)
			out, err := schedulesWith(t, list)
			seed, text := earliest(out)
			switch {
			case seed > 0:
				t.Logf("found by schedule %d: %s", seed, text)
			case err != nil:
				t.Fatalf("it does not build, or the run ended otherwise:\n%s", out)
			case harmless[p.name] != "":
				t.Logf("not found, as it should be: %s", harmless[p.name])
			case p.scriptsFind(t, top, list):
				t.Logf("%d schedules of each form did not find it, the scripts did", schedulesOfAPlant)
			default:
				t.Errorf("neither %d schedules of each form nor the scripts found it", schedulesOfAPlant)
			}
		})
	}
}

// overlay makes the file that tells go to build with the error.
func (p *plant) overlay(t *testing.T, top string) string {
	t.Helper()
	file := filepath.Join(top, p.file)
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(source), p.from) != 1 {
		t.Fatalf("%s does not hold this once: %s", p.file, p.from)
	}
	dir := t.TempDir()
	changed := filepath.Join(dir, "changed.go")
	if err := os.WriteFile(changed, []byte(strings.Replace(string(source), p.from, p.to, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{file: changed}})
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	return list
}

// schedulesWith plays all forms side by side, until one finds something.
func schedulesWith(t *testing.T, overlay string) ([]byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "test", "-vet=off", "-failfast", "-parallel", "8", "-overlay", overlay, "-count=1", "-run", "TestSchedules", ".")
	cmd.Env = append(os.Environ(), "GOWORK=off", fmt.Sprintf("BELFRY_TEST_SIM_SCHEDULES=%d", schedulesOfAPlant), "BELFRY_TEST_SIM_FIRST=1", "BELFRY_TEST_SIM_SEED=")
	return cmd.CombinedOutput()
}

// scriptsFind reports whether a script of the machine in which the error is fails.
func (p *plant) scriptsFind(t *testing.T, top, overlay string) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "test", "-vet=off", "-overlay", overlay, "-count=1", "-run", "TestScripts", ".")
	cmd.Dir = filepath.Join(top, filepath.Dir(p.file))
	cmd.Env = append(os.Environ(), "GOWORK=off")
	out, err := cmd.CombinedOutput()
	return err != nil && strings.Contains(string(out), "the machine did something else")
}
