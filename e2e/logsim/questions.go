package logsim

import (
	"slices"
	"time"

	"belfry/pkg/eventlog"
)

// anyWorker is where a question for any worker is published.
const anyWorker = "belfry.session"

// questionQueue is the work queue of all workers. What a worker has not acked goes
// back when the broker ends its link.
type questionQueue struct {
	w       *world
	waiting []eventlog.Fill
}

func (q *questionQueue) put(m any) {
	q.waiting = append(q.waiting, m.(eventlog.Fill))
	q.serve()
}

func (q *questionQueue) serve() {
	var linked []*worker
	for _, n := range q.w.workers {
		if n.linked && !n.dead {
			linked = append(linked, n)
		}
	}
	if len(linked) == 0 {
		return
	}
	for _, f := range q.waiting {
		n := linked[q.w.r.IntN(len(linked))]
		n.unacked = append(n.unacked, f)
		q.w.after(q.w.within(2*time.Millisecond), func() {
			n.input(func() {
				if i := slices.IndexFunc(n.unacked, func(x eventlog.Fill) bool { return x.ID == f.ID && x.Gateway == f.Gateway }); i >= 0 {
					n.unacked = slices.Delete(n.unacked, i, i+1)
				}
				n.fillers[f.Log].Take(f)
				n.perform()
			})
		})
	}
	q.waiting = nil
}
