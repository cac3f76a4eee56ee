package api

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"belfry/examples/tower/runner"
	"belfry/examples/tower/store"
)

func (a *api) schedules(w http.ResponseWriter, r *http.Request, u store.User) {
	all, err := a.Store.SchedulesFor(r.Context(), u)
	if err != nil {
		a.broken(w, r, err)
		return
	}
	write(w, http.StatusOK, all)
}

// schedule makes one: a template, every so many seconds.
func (a *api) schedule(w http.ResponseWriter, r *http.Request, u store.User) {
	var in struct {
		Template string
		Every    int64
	}
	if !read(w, r, &in) {
		return
	}
	if in.Every < int64(runner.MinEvery/time.Second) || in.Every > int64(runner.MaxEvery/time.Second) {
		fail(w, http.StatusBadRequest, fmt.Sprintf("every is a number of seconds, %.0f to %.0f", runner.MinEvery.Seconds(), runner.MaxEvery.Seconds()))
		return
	}
	c, err := a.Schedules.Create(r.Context(), u.ID, in.Template, time.Duration(in.Every)*time.Second)
	switch {
	case errors.Is(err, runner.ErrNoTemplate):
		fail(w, http.StatusBadRequest, "there is no such template")
	case errors.Is(err, store.ErrLimit):
		fail(w, http.StatusConflict, fmt.Sprintf("you have %d schedules, more are not allowed: delete one first", runner.MaxSchedules))
	case err != nil:
		a.broken(w, r, err)
	default:
		write(w, http.StatusCreated, c)
	}
}

// enableSchedule turns a schedule on or off.
func (a *api) enableSchedule(w http.ResponseWriter, r *http.Request, u store.User) {
	var in struct{ Enabled *bool }
	c, ok := a.scheduleOf(w, r, u)
	if !ok || !read(w, r, &in) {
		return
	}
	if in.Enabled == nil {
		fail(w, http.StatusBadRequest, "say whether it is enabled, true or false")
		return
	}
	if err := a.Schedules.Enable(r.Context(), c.ID, *in.Enabled); err != nil {
		a.broken(w, r, err)
		return
	}
	c.Enabled = *in.Enabled
	write(w, http.StatusOK, c)
}

func (a *api) deleteSchedule(w http.ResponseWriter, r *http.Request, u store.User) {
	c, ok := a.scheduleOf(w, r, u)
	if !ok {
		return
	}
	if err := a.Schedules.Delete(r.Context(), c.ID); err != nil {
		a.broken(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// scheduleOf finds the schedule of the path for the user, or answers why not.
func (a *api) scheduleOf(w http.ResponseWriter, r *http.Request, u store.User) (store.Schedule, bool) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		fail(w, http.StatusBadRequest, "a schedule's id is a number")
		return store.Schedule{}, false
	}
	c, err := a.Store.ScheduleFor(r.Context(), u, id)
	if errors.Is(err, store.ErrNotFound) {
		fail(w, http.StatusNotFound, "there is no such schedule, or it is not yours")
		return store.Schedule{}, false
	}
	if err != nil {
		a.broken(w, r, err)
		return store.Schedule{}, false
	}
	return c, true
}
