package follow

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"belfry/pkg/eventlog"
	"belfry/pkg/eventlog/script"
	"belfry/pkg/protocol"
)

// Every rule has a script in testdata. There the gateway is g, its installation has
// one shard, a group lingers for 2 s, the window has room for three events, and a
// snapshot's part for two tags.
func TestScripts(t *testing.T) {
	script.Run(t, func() func(string) ([]string, error) {
		p := player{machine: New(Options{
			Gateway: "g", Shards: 1, LookBack: 100, MaxLag: 1000, WindowBytes: 3 * eventOverhead, SnapshotPart: 2, Linger: 2 * time.Second,
		}), names: map[eventlog.Tag]string{}}
		return p.perform
	})
}

type player struct {
	machine *Gateway
	names   map[eventlog.Tag]string
}

func (p *player) perform(line string) ([]string, error) {
	in := script.Parse(line)
	var do func()
	switch in.Verb {
	case "start":
		do = p.machine.Start
	case "claim": // TERM WORKER
		x := eventlog.Claim{Leader: eventlog.Leader{Term: in.Number(0), Worker: in.Word(1)}}
		do = func() { p.machine.Take(x) }
	case "batch": // FEED REV FROM TO
		x := eventlog.Batch{
			Gateway: in.Setting("gateway", "g"), Feed: in.Number(0), Rev: in.Number(1), From: cursor(in, 2), To: cursor(in, 3),
			Events: in.Events("events"), Proved: in.SettingNumber("proved", 0), ProvedAt: in.SettingCursor("at", "0").Offset,
		}
		x.End = in.SettingCursor("end", script.ShowCursor(x.To)).Offset
		do = func() { p.machine.Take(x) }
	case "reset": // FEED PLACE
		x := eventlog.Reset{Gateway: "g", Feed: in.Number(0), At: cursor(in, 1), Cause: eventlog.CauseTruncated}
		do = func() { p.machine.Take(x) }
	case "need": // FEED
		x := eventlog.Need{Gateway: "g", Feed: in.Number(0)}
		do = func() { p.machine.Take(x) }
	case "filled": // ID FROM TO
		from, to := cursor(in, 1), cursor(in, 2)
		x := eventlog.Filled{
			Gateway: "g", ID: in.Number(0), From: eventlog.Position{Offset: from.Offset, Index: int(in.SettingNumber("index", eventlog.LastIndex))}, To: to.End(), FP: to.FP, Events: in.Events("events"),
			Done: in.Setting("done", "yes") == "yes", Gap: in.Setting("gap", "no") == "yes",
		}
		do = func() { p.machine.Take(x) }
	case "open":
		id := ConnID(in.Number(0))
		do = func() { p.machine.Open(id) }
	case "close":
		id := ConnID(in.Number(0))
		do = func() { p.machine.Close(id) }
	case "subscribe": // CONN GROUP...
		id := ConnID(in.Number(0))
		var groups []protocol.Group
		for _, name := range in.Words[min(1, len(in.Words)):] {
			groups = append(groups, protocol.Group(name))
			p.names[eventlog.TagOf(protocol.Group(name))] = name
		}
		var since []eventlog.ClientCursor
		if c := in.SettingCursor("since", "none"); !c.IsNone() {
			since = append(since, eventlog.ClientCursor{Shards: int(in.SettingNumber("shards", 1)), Index: int(in.SettingNumber("index", eventlog.LastIndex)), Cursor: c})
		}
		do = func() { p.machine.Subscribe(id, groups, since) }
	case "withdraw":
		id := ConnID(in.Number(0))
		do = func() { p.machine.Withdraw(id) }
	case "confirmed": // FEED
		feed := in.Number(0)
		do = func() { p.machine.Confirmed(0, feed) }
	case "replaced":
		do = p.machine.ReplyQueueReplaced
	case "tick": // SECONDS, one after the other
		seconds := in.Number(0)
		do = func() {
			for range seconds {
				p.machine.Tick(time.Second)
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
	return out, nil
}

func cursor(in *script.Input, i int) eventlog.Cursor {
	c, err := script.Cursor(in.Word(i))
	if err != nil {
		in.Word(99)
	}
	return c
}

func (p *player) show(e Effect) string {
	switch e := e.(type) {
	case Send:
		return "to " + e.Worker + ": " + p.message(e.Message)
	case SendAll:
		return "to all workers: " + p.message(e.Message)
	case Ask:
		return fmt.Sprintf("to any worker: fill %d after %s to %s for %s", e.Fill.ID, position(e.Fill.After, e.Fill.FP), script.ShowCursor(e.Fill.To), p.tags(e.Fill.Tags))
	case Deliver:
		return "deliver " + script.ShowEvent(e.Event)
	case DeliverTo:
		return fmt.Sprintf("deliver to %d: %s", e.Conn, script.ShowEvent(e.Event))
	case Answer:
		at := make([]string, len(e.At))
		for i, c := range e.At {
			at[i] = position(c.Position(), c.FP)
		}
		return fmt.Sprintf("answer %d: %s at %s", e.Conn, groups(e.Groups), strings.Join(at, " "))
	case Unavailable:
		return fmt.Sprintf("answer %d: unavailable", e.Conn)
	case Hold:
		return fmt.Sprintf("hold %d", e.Conn)
	case Release:
		return fmt.Sprintf("release %d", e.Conn)
	case Gap:
		return fmt.Sprintf("gap %d: %s, from %s on", e.Conn, groups(e.Groups), position(e.At.Position(), e.At.FP))
	case CloseAll:
		return "close all"
	}
	return fmt.Sprintf("%T", e)
}

func position(p eventlog.Position, fp eventlog.Fingerprint) string {
	text := script.ShowCursor(eventlog.Cursor{Offset: p.Offset, FP: fp})
	if p.Index != eventlog.LastIndex {
		text += "." + strconv.Itoa(p.Index)
	}
	return text
}

func (p *player) message(m any) string {
	switch m := m.(type) {
	case eventlog.Hello:
		return fmt.Sprintf("hello, feed %d, covered %s", m.Feed, script.ShowCursor(m.Covered))
	case eventlog.Snapshot:
		return fmt.Sprintf("snapshot %d.%d/%d as of %d: %s", m.Serial, m.Part, m.Parts, m.Rev, p.tags(m.Tags))
	case eventlog.Change:
		return fmt.Sprintf("change %d to %d: joined %s, left %s", m.Base, m.Rev, p.tags(m.Joined), p.tags(m.Left))
	case eventlog.Life:
		text := fmt.Sprintf("life, feed %d, covered %s", m.Feed, script.ShowCursor(m.Covered))
		if m.Prove > 0 {
			text += fmt.Sprintf(", prove %d", m.Prove)
		}
		return text
	case eventlog.Who:
		return "who leads?"
	case eventlog.Stale:
		return fmt.Sprintf("stale, %s leads with %d", m.Worker, m.Term)
	}
	return fmt.Sprintf("%T", m)
}

func (p *player) tags(tags []eventlog.Tag) string {
	names := make([]string, len(tags))
	for i, tag := range tags {
		names[i] = p.names[tag]
	}
	return list(names)
}

func groups(all []protocol.Group) string {
	names := make([]string, len(all))
	for i, g := range all {
		names[i] = string(g)
	}
	return list(names)
}

func list(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, " ")
}
