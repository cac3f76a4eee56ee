package router

// line is a ring of numbered things: numbers are consecutive, things enter at
// the back and leave at the front. Both the ledger and the flights are lines.
type line[T any] struct {
	first uint64 // number of the front
	count int
	ring  []T
}

// reset empties the line; the next thing gets the number first.
func (l *line[T]) reset(first uint64) {
	clear(l.ring)
	l.first, l.count = first, 0
}

// next is the number that push will give.
func (l *line[T]) next() uint64 { return l.first + uint64(l.count) }

// at returns the thing with a number, or nil when it is not in the line. The
// pointer is valid until the next push.
func (l *line[T]) at(number uint64) *T {
	if number < l.first || number >= l.next() {
		return nil
	}
	return &l.ring[number&uint64(len(l.ring)-1)]
}

// front returns the oldest thing, or nil.
func (l *line[T]) front() *T { return l.at(l.first) }

// push adds a zero thing at the back.
func (l *line[T]) push() (number uint64, thing *T) {
	if l.count == len(l.ring) {
		l.grow()
	}
	number = l.next()
	l.count++
	return number, l.at(number)
}

// pop removes the front.
func (l *line[T]) pop() {
	var zero T
	*l.front() = zero
	l.first++
	l.count--
}

func (l *line[T]) grow() {
	wide := make([]T, max(64, 2*len(l.ring)))
	for i := range uint64(l.count) {
		wide[(l.first+i)&uint64(len(wide)-1)] = *l.at(l.first + i)
	}
	l.ring = wide
}
