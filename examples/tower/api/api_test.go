package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestAForeignPagesFormIsRefused(t *testing.T) {
	tw := start(t)
	for _, of := range []struct{ method, path string }{
		{http.MethodPost, "/api/login"}, {http.MethodPost, "/api/schedules"},
		{http.MethodPatch, "/api/schedules/1"}, {http.MethodDelete, "/api/schedules/1"},
	} {
		request, err := http.NewRequestWithContext(t.Context(), of.method, tw.URL+of.path, strings.NewReader(`{"name":"bob","password":"secret bob"}`))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "text/plain")
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusForbidden {
			t.Errorf("%s %s answered %s", of.method, of.path, answer.Status)
		}
	}
}

func TestAJobsLinesAreStoredAndEmittedInOrder(t *testing.T) {
	tw := start(t)
	bob := tw.login("bob")
	job := bob.want(http.StatusCreated, "POST", "/api/jobs", map[string]string{"template": "fail"}).(map[string]any)
	id := fmt.Sprint(job["id"])
	statuses := tw.waitEmitted("jobs-status_changed", func(all []map[string]any) bool { return len(all) >= 3 })
	for n, want := range []string{"pending", "running", "failed"} {
		if statuses[n]["status"] != want || fmt.Sprint(statuses[n]["unified_job_id"]) != id {
			t.Errorf("status %d is %v, want %s", n, statuses[n], want)
		}
	}
	live := tw.waitEmitted("job_events-"+id, func(all []map[string]any) bool { return len(all) >= 2 })
	stored := bob.want(http.StatusOK, "GET", "/api/jobs/"+id+"/events?after=0", nil).([]any)
	if len(stored) != 2 || len(live) != 2 {
		t.Fatalf("stored %v, emitted %v", stored, live)
	}
	for n, want := range []string{"working\n", "cannot go on\n"} {
		e := stored[n].(map[string]any)
		if e["stdout"] != want || e["counter"] != float64(n+1) || live[n]["stdout"] != want || live[n]["counter"] != float64(n+1) {
			t.Errorf("line %d: stored %v, emitted %v, want %q", n, e, live[n], want)
		}
	}
	after := bob.want(http.StatusOK, "GET", "/api/jobs/"+id+"/events?after=1", nil).([]any)
	if len(after) != 1 {
		t.Errorf("after=1 gave %v", after)
	}
	bob.want(http.StatusBadRequest, "GET", "/api/jobs/"+id+"/events?after=-1", nil)
}

func TestOthersJobsAreNotThere(t *testing.T) {
	tw := start(t)
	alice, bob, carol := tw.login("alice"), tw.login("bob"), tw.login("carol")
	id := fmt.Sprint(bob.want(http.StatusCreated, "POST", "/api/jobs", map[string]string{"template": "fail"}).(map[string]any)["id"])
	alice.want(http.StatusOK, "GET", "/api/jobs/"+id, nil)
	for _, path := range []string{"/api/jobs/" + id, "/api/jobs/" + id + "/events", "/api/jobs/999"} {
		carol.want(http.StatusNotFound, "GET", path, nil)
	}
	carol.want(http.StatusNotFound, "POST", "/api/jobs/"+id+"/cancel", nil)
	carol.want(http.StatusBadRequest, "GET", "/api/jobs/x", nil)
	carol.want(http.StatusBadRequest, "POST", "/api/jobs", map[string]string{"template": "rm -rf"})
	if jobs := carol.want(http.StatusOK, "GET", "/api/jobs", nil).([]any); len(jobs) != 0 {
		t.Errorf("carol sees %v", jobs)
	}
}

func TestCancelEndsAJob(t *testing.T) {
	tw := start(t)
	bob := tw.login("bob")
	id := fmt.Sprint(bob.want(http.StatusCreated, "POST", "/api/jobs", map[string]string{"template": "count"}).(map[string]any)["id"])
	tw.waitEmitted("job_events-"+id, func(all []map[string]any) bool { return len(all) >= 1 })
	bob.want(http.StatusAccepted, "POST", "/api/jobs/"+id+"/cancel", nil)
	tw.waitEmitted("jobs-status_changed", func(all []map[string]any) bool {
		return len(all) > 0 && all[len(all)-1]["status"] == "canceled"
	})
}

func TestTheWorkersQuestion(t *testing.T) {
	tw := start(t)
	bob := tw.login("bob")
	me := bob.want(http.StatusOK, "GET", "/api/me", nil).(map[string]any)["user"].(map[string]any)
	id := fmt.Sprint(bob.want(http.StatusCreated, "POST", "/api/jobs", map[string]string{"template": "fail"}).(map[string]any)["id"])
	ask := func(status int, secret string, user any, groups ...string) any {
		body, _ := json.Marshal(map[string]any{"user": user, "groups": groups})
		r, _ := http.NewRequest("POST", tw.URL+"/internal/authorize", bytes.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+secret)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = answer.Body.Close() }()
		if answer.StatusCode != status {
			t.Fatalf("answered %s, want %d", answer.Status, status)
		}
		var out map[string]any
		if err := json.NewDecoder(answer.Body).Decode(&out); err != nil {
			t.Fatal(err)
		}
		return out["allowed"]
	}
	ask(http.StatusUnauthorized, "wrong", me["id"], "job_events-"+id)
	got := ask(http.StatusOK, "worker", me["id"], "job_events-"+id, "job_events-999", "job_events-x", "control-limit_reached_1")
	if want := "[job_events-" + id + "]"; fmt.Sprint(got) != want {
		t.Errorf("allowed %v, want %s", got, want)
	}
	if got := ask(http.StatusOK, "worker", 999, "job_events-"+id); fmt.Sprint(got) != "[]" {
		t.Errorf("an unknown user may see %v", got)
	}
	ask(http.StatusBadRequest, "worker", "bob", "job_events-"+id)
}

// TestTheSummaryCountsWhatOneMaySee also waits for the event that says when it
// has changed.
func TestTheSummaryCountsWhatOneMaySee(t *testing.T) {
	tw := start(t)
	alice, bob := tw.login("alice"), tw.login("bob")
	for range 2 {
		bob.want(http.StatusCreated, "POST", "/api/jobs", map[string]string{"template": "fail"})
	}
	alice.want(http.StatusCreated, "POST", "/api/jobs", map[string]string{"template": "machine"})
	tw.waitEmitted("jobs-summary", func(all []map[string]any) bool { return len(all) == 3 })
	for _, look := range []struct {
		by   *browser
		want string
	}{{alice, "map[failed:2 successful:1]"}, {bob, "map[failed:2]"}, {tw.login("carol"), "map[]"}} {
		if got := fmt.Sprint(look.by.want(http.StatusOK, "GET", "/api/jobs/summary", nil)); got != look.want {
			t.Errorf("the summary is %s, want %s", got, look.want)
		}
	}
}

// TestPayloadsHaveTowersKeys looks at each shape that the example emits.
func TestPayloadsHaveTowersKeys(t *testing.T) {
	tw := start(t)
	bob := tw.login("bob")
	me := fmt.Sprint(bob.claims()["user_id"])
	id := fmt.Sprint(bob.want(http.StatusCreated, "POST", "/api/jobs", map[string]string{"template": "fail"}).(map[string]any)["id"])
	bob.want(http.StatusCreated, "POST", "/api/schedules", map[string]any{"template": "fail", "every": 60})
	tw.login("bob")
	tw.login("bob")
	for group, want := range map[string]string{
		"jobs-status_changed":         "group_name=jobs instance_group_name=tower status=string unified_job_id=float64",
		"jobs-summary":                "group_name=jobs unified_job_id=float64",
		"schedules-changed":           "group_name=schedules id=float64",
		"job_events-" + id:            "counter=float64 created=string event=verbose group_name=job_events job=float64 stdout=string",
		"control-limit_reached_" + me: "group_name=control reason=limit_reached",
	} {
		if shape := tw.shape(group); shape != want {
			t.Errorf("%s: %s, want %s", group, shape, want)
		}
	}
}

// shape waits for a payload of a group and returns its keys: with their words
// where these are fixed, else with their types.
func (tw *tower) shape(group string) string {
	all := tw.waitEmitted(group, func(all []map[string]any) bool { return len(all) > 0 })
	var parts []string
	for key, value := range all[0] {
		if slices.Contains([]string{"group_name", "instance_group_name", "event", "reason"}, key) {
			parts = append(parts, fmt.Sprintf("%s=%v", key, value))
		} else {
			parts = append(parts, fmt.Sprintf("%s=%T", key, value))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}
