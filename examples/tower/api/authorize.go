package api

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"belfry/examples/tower/store"
)

// authorize answers the worker: which of these groups may the user see?
func (a *api) authorize(w http.ResponseWriter, r *http.Request) {
	sent := r.Header.Get("Authorization")
	if subtle.ConstantTimeCompare([]byte(sent), []byte("Bearer "+a.AuthorizeSecret)) != 1 {
		fail(w, http.StatusUnauthorized, "this address is for the worker")
		return
	}
	var in struct {
		User   int64    `json:"user"`
		Groups []string `json:"groups"`
	}
	if !read(w, r, &in) {
		return
	}
	u, err := a.Store.UserByID(r.Context(), in.User)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		a.broken(w, r, err)
		return
	}
	allowed := []string{}
	for _, g := range in.Groups {
		ok, err := a.maySee(r.Context(), u, g)
		if err != nil {
			a.broken(w, r, err)
			return
		}
		if ok {
			allowed = append(allowed, g)
		}
	}
	write(w, http.StatusOK, map[string]any{"allowed": allowed})
}

// maySee decides about groups of single jobs; everything else is the policy's.
func (a *api) maySee(ctx context.Context, u store.User, group string) (bool, error) {
	item, found := strings.CutPrefix(group, "job_events-")
	if !found || u.ID == 0 {
		return false, nil
	}
	id, err := strconv.ParseInt(item, 10, 64)
	if err != nil {
		return false, nil //nolint:nilerr // a group that is no job's is not an error, it is denied
	}
	_, err = a.Store.JobFor(ctx, u, id)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
