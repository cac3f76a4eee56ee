package lead

import (
	"maps"
	"slices"
	"time"

	"belfry/pkg/eventlog"
)

// Filler answers questions of gateways for what a connection missed. Any worker
// has one for a log, whether it leads or not.
type Filler struct {
	o       Options
	effects []Effect
	waiting []eventlog.Fill
	reading map[int]*filling
	last    int
}

// maxFillings bounds the readings at a time.
const maxFillings = 2

// filling is one question that is being answered.
type filling struct {
	fill   eventlog.Fill
	reader reader
	tags   map[eventlog.Tag]struct{}
	sentTo eventlog.Position // the end of the last part
	events []eventlog.Event
	bytes  int
	begun  bool // the entry After was met
	onWay  bool // a part is not confirmed
	ended  bool // the last part was sent
}

// NewFiller makes a Filler.
func NewFiller(o Options) *Filler {
	return &Filler{o: o.complete(), reading: map[int]*filling{}}
}

func (f *Filler) add(e Effect) { f.effects = append(f.effects, e) }

// Effects returns what is to be done since the last call, in order. Reader numbers
// are the filler's own; a Send's Batch is the reader's number.
func (f *Filler) Effects() []Effect {
	all := f.effects
	f.effects = nil
	return all
}

// Take takes a question.
func (f *Filler) Take(q eventlog.Fill) {
	if q.Log != f.o.Log {
		return
	}
	f.waiting = append(f.waiting, q)
	f.next()
}

func (f *Filler) next() {
	for len(f.waiting) > 0 && len(f.reading) < maxFillings {
		q := f.waiting[0]
		f.waiting = f.waiting[1:]
		f.last++
		r := &filling{fill: q, sentTo: q.After, tags: map[eventlog.Tag]struct{}{}}
		for _, tag := range q.Tags {
			r.tags[tag] = struct{}{}
		}
		r.reader = reader{number: f.last, at: eventlog.NoCursor, duplicates: eventlog.Duplicates{Size: int(f.o.LookBack)}}
		f.reading[f.last] = r
		f.add(OpenReader{Reader: f.last, At: max(q.After.Offset-f.o.LookBack, 0)})
	}
}

// Read is an entry that a reader brings.
func (f *Filler) Read(number int, e *eventlog.Entry) {
	r := f.reading[number]
	if r == nil || r.ended {
		return
	}
	r.reader.age = 0
	cursor := eventlog.Cursor{Offset: e.Offset, FP: f.o.Key.Fingerprint(e.Offset, e.ID, e.Body)}
	before := r.reader.at
	if cursor.Offset <= before.Offset {
		return
	}
	after, to := r.fill.After, r.fill.To
	switch {
	case r.begun && cursor.Offset > before.Offset+normalStep, // entries are missing
		cursor.Offset > after.Offset && !r.begun,                // the entry that the connection has is not there
		cursor.Offset == after.Offset && cursor.FP != r.fill.FP, // or is another
		cursor.Offset == to.Offset && cursor.FP != to.FP,        // this is not the gateway's log
		cursor.Offset > to.Offset:
		f.gap(r)
		return
	}
	r.reader.at = cursor
	event := eventOf(&r.reader, e, cursor)
	if cursor.Offset == after.Offset {
		r.begun = true
	}
	if r.begun && event != nil && after.Before(event.Position()) {
		if _, wanted := r.tags[eventlog.TagOf(event.Group)]; wanted {
			r.events = append(r.events, *event)
			r.bytes += sizeOf(event)
		}
	}
	if r.begun && (cursor == to || r.bytes >= maxCollected) {
		f.part(r, cursor == to)
	}
}

// part sends what was read, when the part before is confirmed.
func (f *Filler) part(r *filling, last bool) {
	if r.onWay {
		return
	}
	to := r.reader.at
	f.add(Send{Gateway: r.fill.Gateway, Batch: uint64(r.reader.number), Message: eventlog.Filled{
		Log: f.o.Log, Gateway: r.fill.Gateway, ID: r.fill.ID, From: r.sentTo, To: to.End(), FP: to.FP, Done: last, Events: r.events,
	}})
	r.sentTo, r.events, r.bytes, r.onWay = to.End(), nil, 0, true
	if last {
		f.end(r)
	}
}

func (f *Filler) gap(r *filling) {
	f.add(Send{Gateway: r.fill.Gateway, Message: eventlog.Filled{
		Log: f.o.Log, Gateway: r.fill.Gateway, ID: r.fill.ID, From: r.sentTo, To: r.sentTo, Done: true, Gap: true,
	}})
	f.end(r)
}

func (f *Filler) end(r *filling) {
	r.ended = true
	f.add(CloseReader{Reader: r.reader.number})
	delete(f.reading, r.reader.number)
	f.next()
}

// Settled says what became of a part. One that was not taken is the gateway's to
// miss: it gives up waiting.
func (f *Filler) Settled(number uint64, taken bool) {
	r := f.reading[int(number)]
	if r == nil {
		return
	}
	r.onWay = false
	switch {
	case !taken:
		f.end(r)
	case r.reader.at == r.fill.To:
		f.part(r, true)
	case r.bytes >= maxCollected:
		f.part(r, false)
	}
}

// ReaderEnded says that a reader brings nothing more.
func (f *Filler) ReaderEnded(number int) {
	if r := f.reading[number]; r != nil {
		f.end(r)
	}
}

// Tick lets time pass: a reader that brings nothing is given up.
func (f *Filler) Tick(d time.Duration) {
	d = min(d, mostOfOneTick)
	for _, number := range slices.Sorted(maps.Keys(f.reading)) {
		r := f.reading[number]
		if r == nil {
			continue
		}
		if r.reader.age += d; r.reader.age >= readerDead {
			f.end(r)
		}
	}
}
