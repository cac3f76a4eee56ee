package lead

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"belfry/pkg/eventlog"
	"belfry/pkg/eventlog/script"
	"belfry/pkg/protocol"
)

// Every rule has a script in testdata. There the worker is w1, it looks 5 entries back
// for duplicates, and keeps 4 that it has read.
func TestScripts(t *testing.T) {
	script.Run(t, func() func(string) ([]string, error) {
		p := &player{names: map[eventlog.Tag]string{}, entries: map[string]string{}}
		o := Options{Worker: "w1", LookBack: 5, Recent: 4, MarkID: func() string {
			p.marks++
			return fmt.Sprint("m", p.marks)
		}}
		p.machine, p.filler = New(o), NewFiller(o)
		return p.perform
	})
}

type player struct {
	machine *Machine
	filler  *Filler
	marks   int
	names   map[eventlog.Tag]string
	entries map[string]string // by fingerprint, how the script wrote them
}

func (p *player) perform(line string) ([]string, error) {
	in := script.Parse(line)
	var do func()
	switch in.Verb {
	case "baton": // NUMBER, at=CLOCK
		number, wall := in.Number(0), in.SettingNumber("at", 100)
		do = func() { p.machine.Baton(number, wall) }
	case "lost":
		do = p.machine.BatonLost
	case "claim": // TERM WORKER
		x := eventlog.Claim{Leader: eventlog.Leader{Term: in.Number(0), Worker: in.Word(1)}}
		do = func() { p.machine.Take(x) }
	case "stale": // TERM WORKER
		x := eventlog.Stale{Gateway: "g", Leader: eventlog.Leader{Term: in.Number(0), Worker: in.Word(1)}}
		do = func() { p.machine.Take(x) }
	case "who": // GATEWAY
		x := eventlog.Who{Gateway: in.Word(0)}
		do = func() { p.machine.Take(x) }
	case "hello": // GATEWAY FEED COVERED
		x := eventlog.Hello{Gateway: in.Word(0), Feed: in.Number(1), Covered: p.cursor(in, in.Word(2))}
		do = func() { p.machine.Take(x) }
	case "snapshot": // GATEWAY REV
		x := eventlog.Snapshot{
			Gateway: in.Word(0), Rev: in.Number(1), Serial: in.SettingNumber("serial", in.Number(1)+1),
			Part: int(in.SettingNumber("part", 0)), Parts: int(in.SettingNumber("parts", 1)), Tags: p.tags(in, "groups"),
		}
		do = func() { p.machine.Take(x) }
	case "change": // GATEWAY BASE REV
		x := eventlog.Change{Gateway: in.Word(0), Base: in.Number(1), Rev: in.Number(2), Joined: p.tags(in, "joined"), Left: p.tags(in, "left")}
		do = func() { p.machine.Take(x) }
	case "life": // GATEWAY FEED COVERED
		x := eventlog.Life{Gateway: in.Word(0), Feed: in.Number(1), Covered: p.cursor(in, in.Word(2)), Prove: in.SettingNumber("prove", 0)}
		do = func() { p.machine.Take(x) }
	case "read": // READER ENTRY...
		number := int(in.Number(0))
		words := in.Words[min(1, len(in.Words)):]
		filler := in.Setting("by", "leader") == "filler"
		do = func() {
			for _, word := range words {
				if e := p.entry(word); filler {
					p.filler.Read(number, e)
				} else {
					p.machine.Read(number, e)
				}
			}
		}
	case "ended": // READER
		number := int(in.Number(0))
		do = func() { p.machine.ReaderEnded(number) }
	case "taken", "refused": // GATEWAY FEED
		gateway, feed, taken := in.Word(0), in.Number(1), in.Verb == "taken"
		do = func() { p.machine.Settled(gateway, feed, taken) }
	case "fill": // ID AFTER TO
		after, to := p.cursor(in, in.Word(1)), p.cursor(in, in.Word(2))
		place := eventlog.Position{Offset: after.Offset, Index: int(in.SettingNumber("index", eventlog.LastIndex))}
		x := eventlog.Fill{Gateway: "g", ID: in.Number(0), After: place, FP: after.FP, To: to, Tags: p.tags(in, "groups")}
		do = func() { p.filler.Take(x) }
	case "tick": // MILLISECONDS
		d := time.Duration(in.Number(0)) * time.Millisecond
		do = func() {
			for ; d > 0; d -= mostOfOneTick {
				p.machine.Tick(min(d, mostOfOneTick))
				p.filler.Tick(min(d, mostOfOneTick))
			}
		}
	default:
		return nil, in.Unknown()
	}
	if err := in.Err(); err != nil {
		return nil, err
	}
	do()
	var out []string
	for _, e := range p.machine.Effects() {
		out = append(out, p.show(e))
	}
	for _, e := range p.filler.Effects() {
		out = append(out, "filler: "+p.show(e))
	}
	return out, nil
}

// entry reads "12:a:jobs-1", an event of jobs-1 with id a in the entry at offset 12,
// "12:a:jobs-1+jobs-2", a pack, or "12:m1", a mark. The payload of an event whose group is
// followed by "!" is no JSON.
func (p *player) entry(word string) *eventlog.Entry {
	at, rest, _ := strings.Cut(word, ":")
	id, group, event := strings.Cut(rest, ":")
	c, err := script.Cursor(at)
	if err != nil {
		panic(err)
	}
	e := &eventlog.Entry{Offset: c.Offset, ID: id}
	payload := func(name string) (string, []byte) {
		if name, bad := strings.CutSuffix(name, "!"); bad {
			return name, []byte("{")
		}
		return name, []byte("1")
	}
	switch names := strings.Split(group, "+"); {
	case !event:
		e.Type = MarkType
	case len(names) == 1:
		e.Key, e.Body = payload(group)
	default:
		var pack eventlog.Pack
		for _, name := range names {
			name, body := payload(name)
			pack.Add(eventlog.Packed{Group: protocol.Group(name), Payload: body})
		}
		e.Type, e.Body = eventlog.PackType, pack.Body()
	}
	fp := eventlog.Key(nil).Fingerprint(c.Offset, id, nil)
	p.entries[fmt.Sprint(c.Offset, fp)] = id
	return e
}

// cursor reads "12:a", the entry at offset 12 with id a, or "none".
func (p *player) cursor(in *script.Input, word string) eventlog.Cursor {
	if word == "none" || word == "" {
		return eventlog.NoCursor
	}
	e := p.entry(word + ":")
	return eventlog.Cursor{Offset: e.Offset, FP: eventlog.Key(nil).Fingerprint(e.Offset, e.ID, nil)}
}

func (p *player) showCursor(c eventlog.Cursor) string {
	if c.IsNone() {
		return "none"
	}
	return fmt.Sprintf("%d:%s", c.Offset, p.entries[fmt.Sprint(c.Offset, c.FP)])
}

func (p *player) tags(in *script.Input, setting string) []eventlog.Tag {
	for _, name := range in.List(setting) {
		p.names[eventlog.TagOf(protocol.Group(name))] = name
	}
	return in.Tags(setting)
}

func (p *player) show(e Effect) string {
	switch e := e.(type) {
	case Send:
		return "to " + e.Gateway + ": " + p.message(e.Message)
	case SendAll:
		return "to all gateways: " + p.message(e.Message)
	case OpenReader:
		if e.At == Next {
			return fmt.Sprintf("open reader %d at the end", e.Reader)
		}
		return fmt.Sprintf("open reader %d at %d", e.Reader, e.At)
	case CloseReader:
		return fmt.Sprintf("close reader %d", e.Reader)
	case WriteMark:
		return "write mark " + e.ID
	case PutBaton:
		return "put baton"
	case AckBaton:
		return fmt.Sprintf("ack baton %d", e.Baton)
	case LeaveBaton:
		return "leave the lead queue"
	case Park:
		return fmt.Sprintf("park %s: %s", place(e.Entry.Offset, e.Index), e.Reason)
	}
	return fmt.Sprintf("%T", e)
}

func (p *player) message(m any) string {
	switch m := m.(type) {
	case eventlog.Claim:
		return fmt.Sprintf("claim %d %s", m.Term, m.Worker)
	case eventlog.Reset:
		return fmt.Sprintf("reset %d behind %s, %s", m.Feed, p.showCursor(m.At), m.Cause)
	case eventlog.Need:
		return fmt.Sprintf("need %d", m.Feed)
	case eventlog.Batch:
		text := fmt.Sprintf("batch %d r%d (%s, %s]%s", m.Feed, m.Rev, p.showCursor(m.From), p.showCursor(m.To), events(m.Events))
		if m.Proved > 0 {
			text += fmt.Sprintf(", proved %d at %d", m.Proved, m.ProvedAt)
		}
		return text
	case eventlog.Filled:
		text := fmt.Sprintf("filled %d (%d, %d]%s", m.ID, m.From.Offset, m.To.Offset, events(m.Events))
		if m.Gap {
			text += " gap"
		}
		if m.Done {
			text += " done"
		}
		return text
	}
	return fmt.Sprintf("%T", m)
}

func events(all []eventlog.Event) string {
	text := ""
	for i := range all {
		text += fmt.Sprintf(" %s@%s", all[i].Group, place(all[i].Offset, all[i].Index))
	}
	return text
}

// place is "12", or "12.3" within a pack.
func place(offset int64, index int) string {
	if index == eventlog.LastIndex {
		return fmt.Sprint(offset)
	}
	return fmt.Sprintf("%d.%d", offset, index)
}
