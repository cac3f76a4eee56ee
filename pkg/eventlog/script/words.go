package script

import (
	"fmt"
	"strconv"
	"strings"

	"belfry/pkg/eventlog"
	"belfry/pkg/protocol"
)

// Cursor reads "12", the entry at offset 12, "12x", another entry at that offset, or
// "none".
func Cursor(word string) (eventlog.Cursor, error) {
	if word == "none" {
		return eventlog.NoCursor, nil
	}
	digits := strings.TrimRight(word, "abcdefghijklmnopqrstuvwxyz")
	offset, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return eventlog.Cursor{}, fmt.Errorf("%q is no cursor: write 12, 12x or none", word)
	}
	c := eventlog.Cursor{Offset: offset}
	copy(c.FP[:], word[len(digits):])
	return c, nil
}

// ShowCursor writes what Cursor reads.
func ShowCursor(c eventlog.Cursor) string {
	if c.IsNone() {
		return "none"
	}
	return strconv.FormatInt(c.Offset, 10) + strings.TrimRight(string(c.FP[:]), "\x00")
}

// Event reads "jobs-1@12": an event of the group in the entry at offset 12, or
// "jobs-1@12.3", one of a pack.
func Event(word string) (eventlog.Event, error) {
	group, at, found := strings.Cut(word, "@")
	at, number, packed := strings.Cut(at, ".")
	index, indexErr := eventlog.LastIndex, error(nil)
	if packed {
		index, indexErr = strconv.Atoi(number)
	}
	c, err := Cursor(at)
	if !found || err != nil || indexErr != nil {
		return eventlog.Event{}, fmt.Errorf("%q is no event: write jobs-1@12 or jobs-1@12.3", word)
	}
	return eventlog.Event{Offset: c.Offset, Index: index, FP: c.FP, Group: protocol.Group(group)}, nil
}

// ShowEvent writes what Event reads.
func ShowEvent(e *eventlog.Event) string {
	text := string(e.Group) + "@" + ShowCursor(eventlog.Cursor{Offset: e.Offset, FP: e.FP})
	if e.Index != eventlog.LastIndex {
		text += "." + strconv.Itoa(e.Index)
	}
	return text
}

// Input is a line: its verb, its words, and its settings of the form name=value.
type Input struct {
	Verb     string
	Words    []string
	settings map[string]string
	used     map[string]bool
	err      error
}

// Parse splits a line.
func Parse(line string) *Input {
	in := &Input{settings: map[string]string{}, used: map[string]bool{}}
	for i, word := range strings.Fields(line) {
		name, value, setting := strings.Cut(word, "=")
		switch {
		case i == 0:
			in.Verb = word
		case setting:
			in.settings[name] = value
		default:
			in.Words = append(in.Words, word)
		}
	}
	return in
}

// Word is the word at a place.
func (in *Input) Word(i int) string {
	if i >= len(in.Words) {
		in.fail(fmt.Errorf("%s needs %d words", in.Verb, i+1))
		return ""
	}
	return in.Words[i]
}

// Number is the word at a place as a number.
func (in *Input) Number(i int) uint64 {
	n, err := strconv.ParseUint(in.Word(i), 10, 64)
	in.fail(err)
	return n
}

// Setting is a setting's value; otherwise where it is not set.
func (in *Input) Setting(name, otherwise string) string {
	in.used[name] = true
	if value, set := in.settings[name]; set {
		return value
	}
	return otherwise
}

// SettingNumber is a setting's value as a number.
func (in *Input) SettingNumber(name string, otherwise uint64) uint64 {
	n, err := strconv.ParseUint(in.Setting(name, strconv.FormatUint(otherwise, 10)), 10, 64)
	in.fail(err)
	return n
}

// SettingCursor is a setting's value as a cursor.
func (in *Input) SettingCursor(name, otherwise string) eventlog.Cursor {
	c, err := Cursor(in.Setting(name, otherwise))
	in.fail(err)
	return c
}

// List is a setting's value, split at commas.
func (in *Input) List(name string) []string {
	value := in.Setting(name, "")
	if value == "" {
		return nil
	}
	return strings.Split(value, ",")
}

// Events is a list of events.
func (in *Input) Events(name string) []eventlog.Event {
	var all []eventlog.Event
	for _, word := range in.List(name) {
		e, err := Event(word)
		in.fail(err)
		all = append(all, e)
	}
	return all
}

// Tags are the tags of a list of groups.
func (in *Input) Tags(name string) []eventlog.Tag {
	var all []eventlog.Tag
	for _, word := range in.List(name) {
		all = append(all, eventlog.TagOf(protocol.Group(word)))
	}
	return all
}

func (in *Input) fail(err error) {
	if in.err == nil {
		in.err = err
	}
}

// Err says what could not be read: a word that is missing, a setting of another name.
func (in *Input) Err() error {
	for name := range in.settings {
		if !in.used[name] {
			in.fail(fmt.Errorf("%s has no setting %s", in.Verb, name))
		}
	}
	return in.err
}

// Unknown is the error of a verb that does not exist.
func (in *Input) Unknown() error { return fmt.Errorf("there is no input %q", in.Verb) }
