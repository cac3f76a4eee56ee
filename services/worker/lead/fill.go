package lead

import (
	"slices"
	"time"

	"belfry/pkg/eventlog"
)

// Filler answers questions of gateways for what connections missed. Any worker has
// one for a log, whether it leads or not. Those that wait for the log are read together.
type Filler struct {
	o        Options
	effects  []Effect
	waiting  []*filling // for a reading, in the order in which they came
	aside    []*filling // for the verdict on a part, in no reading
	readings []*reading
	lastID   uint64 // of fillings
	last     int    // of readers
}

// Bounds of a filler.
const (
	maxReadings = 2               // at a time
	maxTogether = 64              // fillings in one reading
	nobodyWaits = 3 * time.Second // a gateway asks again after that
)

// reading is a reader and those that it answers.
type reading struct {
	reader
	fillings []*filling
}

// NewFiller makes a Filler.
func NewFiller(o Options) *Filler { return &Filler{o: o.complete()} }

func (f *Filler) add(e Effect) { f.effects = append(f.effects, e) }

// Effects returns what is to be done since the last call, in order. Reader numbers
// are the filler's own; a Send's Batch is what Settled is called with.
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
	f.lastID++
	f.waiting = append(f.waiting, newFilling(f.lastID, q))
	f.next()
}

// next lets those that wait join a reading that comes to them, or begins one for
// them, from the lowest.
func (f *Filler) next() {
	for {
		f.waiting = slices.DeleteFunc(f.waiting, func(x *filling) bool {
			i := slices.IndexFunc(f.readings, func(r *reading) bool { return r.comesTo(x) })
			if i >= 0 {
				f.readings[i].fillings = append(f.readings[i].fillings, x)
			}
			return i >= 0
		})
		if len(f.waiting) == 0 || len(f.readings) >= maxReadings {
			return
		}
		lowest := f.waiting[0].after.Offset
		for _, x := range f.waiting {
			lowest = min(lowest, x.after.Offset)
		}
		f.last++
		r := reader{number: f.last, at: eventlog.NoCursor, first: lowest, duplicates: eventlog.Duplicates{Size: f.o.LookBack}}
		f.readings = append(f.readings, &reading{reader: r})
		f.add(OpenReader{Reader: f.last, At: max(lowest-f.o.LookBack, 0)})
	}
}

// comesTo reports whether a reading will come to where a filling begins, and has looked
// back far enough by then.
func (r *reading) comesTo(x *filling) bool {
	return r.first <= x.after.Offset && r.at.Offset < x.after.Offset && len(r.fillings) < maxTogether
}

// Read is an entry that a reader brings.
func (f *Filler) Read(number int, e *eventlog.Entry) {
	i := f.find(number)
	if i < 0 {
		return
	}
	r := f.readings[i]
	cursor := eventlog.Cursor{Offset: e.Offset, FP: f.o.Key.Fingerprint(e.Offset, e.ID, e.Body)}
	before := r.at
	if cursor.Offset <= before.Offset {
		return
	}
	r.age = 0
	r.at = cursor
	events := eventsOf(&r.reader, e, cursor, nil)
	missing := !before.IsNone() && cursor.Offset > before.Offset+normalStep
	r.fillings = slices.DeleteFunc(r.fillings, func(x *filling) bool {
		switch {
		case x.fails(cursor, missing):
			f.gap(x)
		case x.read(cursor, events):
			if x.onWay {
				f.aside = append(f.aside, x)
			} else {
				f.part(x)
			}
		case x.bytes >= f.o.BatchBytes && x.onWay: // it is not read out as fast as the others
			x.setDown()
			f.aside = append(f.aside, x)
		default:
			if x.bytes >= f.o.BatchBytes {
				f.part(x)
			}
			return false
		}
		return true
	})
	if len(r.fillings) == 0 {
		f.add(CloseReader{Reader: number})
		f.end(i)
	}
}

func (f *Filler) find(number int) int {
	return slices.IndexFunc(f.readings, func(r *reading) bool { return r.number == number })
}

func (f *Filler) end(i int) {
	f.readings = slices.Delete(f.readings, i, i+1)
	f.next()
}

// part sends what was read since the last one.
func (f *Filler) part(x *filling) {
	f.add(Send{Gateway: x.gateway, Batch: x.id, Message: eventlog.Filled{
		Log: f.o.Log, Gateway: x.gateway, ID: x.question, From: x.sent, To: x.at.End(), FP: x.at.FP, Done: x.done, Events: x.events,
	}})
	x.sent, x.sentFP, x.events, x.bytes, x.onWay = x.at.End(), x.at.FP, nil, 0, true
}

func (f *Filler) gap(x *filling) {
	f.add(Send{Gateway: x.gateway, Message: eventlog.Filled{
		Log: f.o.Log, Gateway: x.gateway, ID: x.question, From: x.sent, To: x.sent, Done: true, Gap: true,
	}})
}

// Settled says what became of a part. One that was not taken ends the filling: the
// gateway asks again for what it misses.
func (f *Filler) Settled(id uint64, taken bool) {
	is := func(x *filling) bool { return x.id == id }
	for _, r := range f.readings {
		if i := slices.IndexFunc(r.fillings, is); i >= 0 {
			r.fillings[i].onWay = false
			if !taken {
				r.fillings = slices.Delete(r.fillings, i, i+1)
			}
			return
		}
	}
	i := slices.IndexFunc(f.aside, is)
	if i < 0 {
		return
	}
	x := f.aside[i]
	f.aside = slices.Delete(f.aside, i, i+1)
	switch {
	case !taken:
	case x.done:
		f.part(x)
	default:
		x.onWay, x.age = false, 0
		f.waiting = append(f.waiting, x)
		f.next()
	}
}

// ReaderEnded says that a reader brings nothing more. Whoever it was to answer asks
// again.
func (f *Filler) ReaderEnded(number int) {
	if i := f.find(number); i >= 0 {
		f.end(i)
	}
}

// Tick lets time pass. A reading that brings nothing is given up, and so are those that have
// waited for so long that their gateways have asked again.
func (f *Filler) Tick(d time.Duration) {
	d = min(d, mostOfOneTick)
	old := func(x *filling) bool {
		x.age += d
		return x.age >= nobodyWaits
	}
	f.waiting = slices.DeleteFunc(f.waiting, old)
	f.aside = slices.DeleteFunc(f.aside, func(x *filling) bool { old(x); return x.age >= verdictIn })
	for i := len(f.readings) - 1; i >= 0; i-- {
		r := f.readings[i]
		if r.age += d; r.age >= nobodyWaits || len(r.fillings) == 0 {
			f.add(CloseReader{Reader: r.number})
			f.readings = slices.Delete(f.readings, i, i+1)
		}
	}
	f.next()
}
