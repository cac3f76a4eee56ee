package api

import (
	"errors"
	"net/http"
	"strconv"

	"belfry/examples/tower/runner"
	"belfry/examples/tower/store"
)

func (a *api) templates(w http.ResponseWriter, _ *http.Request, _ store.User) {
	write(w, http.StatusOK, runner.Templates)
}

func (a *api) jobs(w http.ResponseWriter, r *http.Request, u store.User) {
	jobs, err := a.Store.JobsFor(r.Context(), u)
	if err != nil {
		a.broken(w, r, err)
		return
	}
	write(w, http.StatusOK, jobs)
}

func (a *api) summary(w http.ResponseWriter, r *http.Request, u store.User) {
	counts, err := a.Store.Summary(r.Context(), u)
	if err != nil {
		a.broken(w, r, err)
		return
	}
	write(w, http.StatusOK, counts)
}

func (a *api) launch(w http.ResponseWriter, r *http.Request, u store.User) {
	var in struct{ Template string }
	if !read(w, r, &in) {
		return
	}
	job, err := a.Runner.Launch(r.Context(), u.ID, in.Template)
	switch {
	case errors.Is(err, runner.ErrNoTemplate):
		fail(w, http.StatusBadRequest, "there is no such template")
	case errors.Is(err, runner.ErrTooMany):
		w.Header().Set("Retry-After", "10")
		fail(w, http.StatusTooManyRequests, "too many jobs run: wait until one has ended, or cancel one")
	case err != nil:
		a.broken(w, r, err)
	default:
		write(w, http.StatusCreated, job)
	}
}

func (a *api) job(w http.ResponseWriter, r *http.Request, u store.User) {
	if job, ok := a.jobOf(w, r, u); ok {
		write(w, http.StatusOK, job)
	}
}

func (a *api) cancel(w http.ResponseWriter, r *http.Request, u store.User) {
	if job, ok := a.jobOf(w, r, u); ok {
		a.Runner.Cancel(job.ID)
		w.WriteHeader(http.StatusAccepted)
	}
}

// events lists a job's events with a counter above ?after=.
func (a *api) events(w http.ResponseWriter, r *http.Request, u store.User) {
	after := 0
	if text := r.URL.Query().Get("after"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			fail(w, http.StatusBadRequest, "after is the counter of the last event that you have")
			return
		}
		after = n
	}
	job, ok := a.jobOf(w, r, u)
	if !ok {
		return
	}
	events, err := a.Store.Events(r.Context(), job.ID, after)
	if err != nil {
		a.broken(w, r, err)
		return
	}
	write(w, http.StatusOK, events)
}

// jobOf finds the job of the path for the user, or answers why not.
func (a *api) jobOf(w http.ResponseWriter, r *http.Request, u store.User) (store.Job, bool) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		fail(w, http.StatusBadRequest, "a job's id is a number")
		return store.Job{}, false
	}
	job, err := a.Store.JobFor(r.Context(), u, id)
	if errors.Is(err, store.ErrNotFound) {
		fail(w, http.StatusNotFound, "there is no such job, or it is not yours")
		return store.Job{}, false
	}
	if err != nil {
		a.broken(w, r, err)
		return store.Job{}, false
	}
	return job, true
}
